"""Training through torch.compile: its losses, its checkpoints, and a machine without a compiler."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from tempogan_eddy.model.losses import Losses
from tempogan_eddy.model.tempogan import Generator
from tempogan_eddy.stored import read_checkpoint
from tempogan_eddy.training.networks import Networks
from tempogan_eddy.training.trainer import TempoGANTrainer
from training_cases import recorded, small_config, write_storms


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


def steepness(judge, real, upsampled):
    """A penalty with second derivatives, which compiled networks do not have."""
    seen = real.detach().requires_grad_()
    made = judge(seen, upsampled)
    logits = made[0] if isinstance(made, tuple) else made
    return torch.autograd.grad(logits.sum(), seen, create_graph=True)[0].square().mean()


def trained(folder, storms, resume_from=None, **training):
    config = small_config(folder, storms, **training)
    losses = replace(Losses.from_config(config.training), penalty=steepness)
    TempoGANTrainer(config, losses=losses).train(resume_from)
    return {tag: values for tag, values in recorded(config).items() if tag.startswith(("loss/", "validation/"))}


def test_without_a_compiler_training_goes_on_uncompiled(tmp_path, storms, monkeypatch, caplog):
    def refuse(*arguments, **options):
        raise RuntimeError("no compiler here")

    steps = []
    monkeypatch.setattr(torch, "compile", lambda function, **options: refuse)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: steps.append(True))
    runs = [trained(tmp_path / str(compiled), storms, compile=compiled) for compiled in (True, False)]
    assert runs[0] == runs[1]
    assert len(steps) == 6  # graphs keep their results within a step
    assert [record.message for record in caplog.records if "torch.compile" in record.message] == [
        "torch.compile does not work here (no compiler here); the networks compute uncompiled"
    ]


def test_graphs_leave_out_the_convolution_that_needs_float32(monkeypatch):
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=keep))
    generator, frames = Generator(n_residual_blocks=1, channels=4), torch.rand(2, 1, 6, 5)
    expected, names = generator(frames), list(generator.state_dict())
    Networks(generator, nn.Identity(), nn.Identity()).compile(torch.device("cpu"))
    assert torch.equal(generator(frames), expected)
    convolutions = [node for graph in graphs for node in graph.graph.nodes if node.target is torch.conv2d]
    assert len(convolutions) == sum(isinstance(module, nn.Conv2d) for module in generator.modules())
    assert list(generator.state_dict()) == names
    # The moving average stays uncompiled: it sees frames of any size.
    assert torch.equal(copy.deepcopy(generator)(frames[:1, :, :4]), generator.forward(frames[:1, :, :4]))
    assert len(graphs) == 2


@pytest.mark.slow  # compiles for a minute
def test_compiled_training_has_the_losses_and_checkpoints_of_uncompiled(tmp_path, storms):
    plain, compiled = (
        trained(tmp_path / str(on), storms, compile=on, lambda_feature=0.1, steps_per_epoch=1) for on in (False, True)
    )
    assert compiled.keys() == plain.keys()
    for tag, values in plain.items():
        assert compiled[tag] == pytest.approx(values, rel=1e-3, abs=1e-6), tag
    files = [tmp_path / str(on) / "checkpoints/checkpoint_epoch_1.pth" for on in (False, True)]
    states = [read_checkpoint(path) for path in files]
    for part in ("generator", "spatial_discriminator", "temporal_discriminator", "ema"):
        assert states[0][part].keys() == states[1][part].keys()
    for on, other in zip((True, False), files, strict=True):
        resumed = trained(tmp_path / f"resumed-{on}", storms, other, compile=on, lambda_feature=0.1, steps_per_epoch=1)
        for tag, values in resumed.items():
            assert values == pytest.approx(plain[tag][-len(values) :], rel=1e-3, abs=1e-6), tag
