"""The benchmark's pieces on sizes so small that they take moments."""

import io
import math
import os
from functools import partial

import pytest
import torch
from rich.console import Console

from benchmarks import (
    bench,
    loader,
    machine,
    operations,
    projection,
    reconstruction,
    releases,
    scale,
    scaling,
    training,
    viewer,
)
from benchmarks.browser import find_chromium
from benchmarks.report import console, rounded
from benchmarks.timing import Elsewhere, Stopwatch, count_flops, interleave, process_peak, ratio, spread
from benchmarks.workbench import Workbench, find_frames, generator_sizes, untrained
from tempogan_eddy.config import load_config
from tempogan_eddy.model.tempogan import Generator
from tempogan_eddy.weights import load_model

CPU = torch.device("cpu")
counts_operations = pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13), reason="before 2.13 torch dispatched other operations"
)
SMALL = ("model.n_residual_blocks=1", "model.channels=8", "model.discriminator_channels=8", "training.precision=fp32")


@pytest.fixture(scope="module")
def small_bench(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("bench")
    folder, source = find_frames(scratch / "nothing", scratch, frames=16, size=64)
    assert "simulated" in source
    return Workbench(CPU, 2, folder, scratch, machine.Probe(lambda: None, 1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_benchmark_says_so(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench", "--device", "cuda", "--threads", str(torch.get_num_threads())])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # put back afterwards: the benchmark sets it
    with pytest.raises(SystemExit, match="2"):
        bench.main()
    assert capsys.readouterr().err == "The device 'cuda' is not available on this machine; use auto or cpu.\n"


def test_timing_goes_in_turns_and_leaves_out_the_first():
    order = []
    seconds = interleave({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3, CPU)
    assert order == ["a", "b"] * 4
    assert [len(times) for times in seconds.values()] == [3, 3]


def test_turns_end_when_the_time_is_over_but_for_the_first():
    assert [len(times) for times in interleave({"a": lambda: None}, 50, CPU, limit=0.0).values()] == [1]


def test_ratios_are_of_one_turn():
    # The machine is ten times slower in the second turn, and so are both tasks.
    assert ratio([2, 20, 2], [1, 10, 1]) == 2
    assert spread([1, 2, 3]) == 1


def test_a_stopwatch_times_a_method_only_while_it_is_on():
    class Worker:
        def work(self, value):
            return 2 * value

    worker, stopwatch = Worker(), Stopwatch(CPU)
    stopwatch.watch(worker, "work", "part")
    assert worker.work(2) == 4 and not stopwatch.seconds
    stopwatch.on = True
    assert worker.work(3) == 6 and len(stopwatch.seconds["part"]) == 1


def test_a_task_elsewhere_runs_in_one_process_of_its_own():
    # Nothing of this module, whose imports would take the new process seconds.
    told = "__import__('os').getpid(), __import__('torch').get_num_threads()"
    task = Elsewhere(partial, eval, told, threads=1)
    (process, threads), (again, _) = task(), task()
    task.close()
    assert process == again != os.getpid()
    assert threads == 1


@pytest.mark.parametrize("enabled", [False, True])
def test_flops_of_a_convolution_forward_and_backward(enabled):
    layer, frames = torch.nn.Conv2d(4, 8, 3, padding=1), torch.rand(1, 4, 16, 16, requires_grad=True)

    def run():
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            features = layer(frames)
        features.float().sum().backward()

    assert count_flops(run) == 3 * 2 * 9 * 4 * 8 * 16 * 16


@counts_operations
def test_operations_are_counted_backward_too_and_reads_of_scalars_apart():
    weight = torch.ones(3, requires_grad=True)
    counted = operations.count_operations(lambda: (weight * 2).sum().backward())
    assert counted.counts["aten::mul"] == 2 and counted.counts["aten::sum"] == 1
    assert counted.scalar_reads == 0
    views = operations.count_operations(lambda: weight.detach()[1:].view(2, 1).mul(2))
    assert (views.counts.total(), views.kernels) == (4, 1)
    assert operations.count_operations(lambda: float(weight.sum())).scalar_reads == 1


@counts_operations
@pytest.mark.parametrize(
    ("conditioned", "adversarial", "most_to_load", "most_to_train"),
    [(False, False, 60, 250), (False, True, 60, 950), (True, False, 110, 700)],
)
def test_a_step_dispatches_few_operations_whatever_its_batch_and_reads_no_scalar(
    small_bench, conditioned, adversarial, most_to_load, most_to_train
):
    counted = []
    for windows in (2, 5):
        folder = small_bench.scratch / "operations"
        config = operations.configuration(str(small_bench.folder), folder, windows, conditioned)
        load, train = operations.measure(config, adversarial)
        assert load.scalar_reads == train.scalar_reads == 0
        counted.append((load.counts.total(), train.counts.total()))
    assert counted[0][0] <= most_to_load and counted[0][1] <= most_to_train
    assert conditioned or counted[0] == counted[1], "a conditioned batch at the edge of a frame weighs its pixels"


def test_the_cost_of_an_archive_is_that_of_its_pixels():
    row = {"nanoseconds": 100.0, "stored_bytes": 160, "seen": 10}
    told = scale.estimate([row | {"input": name} for name in ("32 frames", "global", "full disk")])
    frames, side = 263_043, 512
    assert told[0]["core_hours"] == pytest.approx(100e-9 * frames * side**2 / 3600)
    assert told[0]["terabytes"] == pytest.approx(frames * side**2 / 1e12)


def test_flops_of_the_generator():
    model = untrained(load_config())
    blocks, channels, pixels = 8, 64, 16 * 16
    weights = 9 * channels + (2 * blocks + 1) * 9 * channels**2 + 9 * channels * 16 + 25 * 16
    frames = torch.rand(1, 1, 16, 16)
    assert count_flops(lambda: model.generator(frames)) == 2 * weights * pixels


def test_every_shipped_size_is_measured_as_the_generator_of_one_sensor():
    sizes = generator_sizes()
    assert {"8x32", "8x64"} <= sizes.keys()
    for config in sizes.values():
        generator = untrained(config).generator
        assert isinstance(generator, Generator)
        assert generator(torch.rand(1, 1, 8, 8)).shape == (1, 1, 32, 32)


def test_parts_of_a_frame_are_measured_with_every_engine(monkeypatch):
    monkeypatch.setattr(releases, "SIDE", 16)
    monkeypatch.setattr(projection, "SIDE", 16)
    models = [load_model("eddy"), load_model("faithful")]
    for rows in (list(releases.compare(models, "seviri", 1)), list(projection.shares("seviri", 1))):
        assert [row["engine"] for row in rows] == [f"{engine}, {precision}" for engine, precision in releases.ENGINES]
        measured = [row for row in rows if "note" not in row]
        assert measured and all("installed" in row["note"] for row in rows if row not in measured)
        assert all(value > 0 for row in measured for value in row.values() if isinstance(value, float))


def test_the_peak_of_a_process_covers_what_it_holds():
    held = torch.ones(1 << 24)
    assert process_peak() > held.nbytes


def test_a_naive_step_gives_a_finite_loss(small_bench):
    assert math.isfinite(training.Naive(small_bench.files, 2, 32, CPU).step())


def test_our_step_and_its_parts(small_bench):
    ours = training.Ours(small_bench.training("training.batch_size=2", "training.patch_size=32", *SMALL))
    losses = ours.step()
    assert {"loss_content", "loss_d_spatial", "loss_g_temporal"} <= losses.keys()
    assert all(map(math.isfinite, losses.values()))
    assert list(training._parts(ours, 2)) == ["data", *training.PARTS.values(), "average"]
    assert training._flops(ours) > 0


def test_variants_leave_out_what_is_shipped(small_bench):
    shipped = small_bench.training()
    found = training.variants(small_bench)
    assert f"gradient_frames={shipped.training.gradient_frames}" not in found
    assert {"config.json", "content loss only"} < found.keys()


class Here:
    """Stands for `Elsewhere` where a process of its own is not the point."""

    def __init__(self, make, *arguments, threads):
        self.task = make(*arguments)

    def __call__(self):
        return self.task()

    def close(self):
        pass


def printed(section, result):
    """Lines that a section's tables print."""
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(*section.tables(result))
    return console.export_text().splitlines()


def cells(lines, *starts):
    """The numbers of the one line that begins with these words."""
    rows = [line.replace("│", " ").split() for line in lines]
    (row,) = (row for row in rows if row[: len(starts)] == list(starts))
    return row[len(starts) :]


def test_the_loader_is_measured_beside_what_a_step_consumes(small_bench, monkeypatch):
    def timed(tasks, *_):
        for task in tasks.values():
            task()
        return {"naive": [4.0, 4.0], "ours": [1.0, 1.0], "consumed": [3.0, 3.0]}

    monkeypatch.setattr(loader, "interleave", timed)
    (row,) = rows = loader.measure(small_bench, ((2, 32),), *SMALL)
    assert row == {
        "batch": 2, "patch": 32, "naive": 0.5, "ours": 2, "consumed": pytest.approx(2 / 3), "speedup": 4, "reserve": 3
    }  # fmt: skip
    assert cells(printed(loader, rows), "2", "32") == ["0", "2", "4.0", "1", "3.0"]


def test_reconstruction_is_measured_in_memory_and_from_file_to_file(small_bench, monkeypatch):
    sizes = {"8x64": small_bench.training(*SMALL), "4x8": small_bench.training(*SMALL)}
    monkeypatch.setattr(reconstruction, "engines", lambda model, device: [("torch", "fp32")])
    monkeypatch.setattr(reconstruction, "generator_sizes", lambda: sizes)
    monkeypatch.setattr(reconstruction, "Elsewhere", Here)
    result = reconstruction.measure(small_bench, side=8, frames_in_file=2)
    measured = [(row["size"], row["engine"]) for row in result["in_memory"]]
    # The naive generator has one size, that of the seed.
    assert measured == [("8x64", "naive"), ("8x64", "torch"), ("4x8", "torch")]
    for row in result["in_memory"]:
        assert row["frames_a_second"] == pytest.approx(1e3 / row["whole"])
        assert row["gflop"] > 0 and row["speedup"] > 0
    assert [(row["size"], row["frames"]) for row in result["files"]] == [("8x64", 2), ("4x8", 2)]
    lines = printed(reconstruction, result)
    naive = result["in_memory"][0]
    assert cells(lines, "8x64", "naive", "fp32")[0] == f"{naive['whole']:.1f}"
    for row in result["files"]:
        assert f"{row['milliseconds']:.1f}" in " ".join(lines)
    assert (small_bench.scratch / "highres.nc").exists()


def test_growth_is_measured_by_frames_and_by_batches(small_bench):
    result = scaling.measure(small_bench, ((1, 8), (2, 8)), ((2, 32),), *SMALL)
    assert [(row["frames"], row["side"]) for row in result["reconstruction"]] == [(1, 8), (2, 8)]
    (step,) = result["training"]
    assert (step["batch"], step["patch"]) == (2, 32)
    assert step["nanoseconds"] == pytest.approx(1e6 * step["milliseconds"] / (2 * 3 * 32**2))
    one = result["reconstruction"][0]
    assert one["nanoseconds"] == pytest.approx(1e6 * one["milliseconds"] / 32**2)
    lines = printed(scaling, result)
    assert cells(lines, "1", "8") == [f"{one['milliseconds']:.1f}", f"{one['nanoseconds']:.0f}"]
    assert cells(lines, "2", "32") == [f"{step['milliseconds']:.1f}", f"{step['nanoseconds']:.0f}"]


@pytest.mark.skipif(find_chromium() is None, reason="no chromium on the PATH, or playwright is not installed")
@pytest.mark.slow
def test_the_viewer_is_timed_in_a_browser(small_bench):
    rows = viewer.measure(small_bench, large=(20, 600))
    assert [row["frames"] for row in rows] == [16, 20]
    assert all(row[key] > 0 for row in rows for key in ("open", "step", "jump"))
    console().print(*viewer.tables(rows))


def test_without_a_browser_the_viewer_is_passed_over(small_bench, monkeypatch):
    monkeypatch.setattr(viewer, "find_chromium", lambda: None)
    assert viewer.measure(small_bench) == []
    assert "no chromium" in next(viewer.tables([]))


def test_the_machine_is_measured(monkeypatch):
    monkeypatch.setattr(machine, "CONVOLUTIONS", {"cpu": [(1, 8)]})
    monkeypatch.setattr(machine, "MATRIX", {"cpu": 16})
    result = machine.measure(CPU, 1)
    assert result["device"] == "cpu"
    probe = machine.fastest_convolution(result, CPU)
    assert count_flops(probe.run) == probe.flops
    assert probe.share(probe.flops, [2, 20], [1, 10]) == 0.5
    console().print(*machine.tables(result))


def test_coarse_frames_of_any_length_and_size(small_bench):
    assert small_bench.lowres(20, 24).shape == (20, 24, 24)


def test_results_are_named_by_the_device_and_rounded():
    assert bench.slug("NVIDIA H100 80GB HBM3") == "nvidia-h100-80gb-hbm3"
    assert rounded({"rates": [1 / 3, 2, "text"]}) == {"rates": [0.33333, 2, "text"]}
