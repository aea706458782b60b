"""The plugin is found, its spec keeps its limits, and its network learns."""

import torch

import zoo
from zoo.plugins import installed

SPEC = "$name-shapes"


def test_the_plugin_is_found():
    plugin = next(plugin for plugin in installed().plugins if plugin.provider.plugin == "$name")
    assert plugin.error == ""
    assert [component.name for component in plugin.components] == ["${name}_net", "${name}_bend"]


def test_the_spec_keeps_its_limits():
    assert zoo.check(SPEC).kept


def test_the_stated_count_is_that_of_the_network():
    network = zoo.build(SPEC)["classifier"]
    assert zoo.check(SPEC).total.parameters == sum(one.numel() for one in network.parameters())


def test_every_parameter_gets_a_finite_gradient():
    network = zoo.build(SPEC)["classifier"]
    logits = network(torch.rand(4, 3, 32, 32))
    assert torch.isfinite(logits).all()
    torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    assert all(torch.isfinite(one.grad).all() for one in network.parameters())


def test_some_steps_of_training_run(tmp_path):
    short = ["train.steps=3", "train.validation=0", "train.device=cpu", "data={shapes: {train_images: 200, test_images: 100}}"]
    result = zoo.train(SPEC, run=tmp_path / "run", overrides=short).result()
    assert result["steps"] == 3
