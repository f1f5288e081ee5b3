# Reconstruct on a CPU:
#   docker build -t tempogan-eddy .
#   docker run --rm -v "$PWD:/data" tempogan-eddy reconstruct lowres.nc -o highres.nc
FROM python:3.12-slim

# The index of PyTorch for CPUs saves 5 GB of CUDA libraries.
RUN pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE /source/
COPY src /source/src
RUN pip install --no-cache-dir "/source[all]" && rm -r /source

RUN useradd --create-home eddy
USER eddy
WORKDIR /data
ENTRYPOINT ["tempogan-eddy"]
