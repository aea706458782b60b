"""The picture of where a budget goes."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from zoo import api
from zoo.drawing.html import html
from zoo.drawing.waterfall import Line, lines, page, svg
from zoo.registry import Registry

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "name", ["cifar100-resnet-silu", "paper-classifier", "resnet50", "densenet121", "cifar100-cgan"]
)
def test_the_bars_fill_the_network_without_gap_or_overlap(name: str, registry: Registry) -> None:
    report = api.check(name, registry=registry)
    for one in report.networks.values():
        drawn = [line for line in lines(one) if not line.opened]
        assert sum(line.parameters for line in drawn) == one.cost.parameters
        assert sum(line.macs for line in drawn) == one.cost.macs
        ends = [(line.parameters_before, line.parameters_before + line.parameters) for line in drawn]
        assert all(end == start for (_, end), (start, _) in pairwise(ends))


@pytest.mark.parametrize("name", ["paper-classifier", "resnet50", "densenet-bc-100-12"])
def test_a_part_spans_what_is_inside_it(name: str, registry: Registry) -> None:
    (one,) = api.check(name, registry=registry).networks.values()
    found = lines(one)
    for index, line in enumerate(found):
        inside: list[Line] = []
        for other in found[index + 1 :]:
            if other.indent <= line.indent:
                break
            inside.append(other)
        leaves = [other.parameters for other in inside if not other.opened]
        assert line.opened == bool(inside)
        if inside:
            assert sum(leaves) == line.parameters
            assert inside[0].parameters_before == line.parameters_before


def test_rounds_alike_share_a_line_under_their_own_name(registry: Registry) -> None:
    (one,) = api.check("paper-classifier", registry=registry).networks.values()
    rounds = [(line.row.layer, line.row.times, line.parameters) for line in lines(one) if line.row.times > 1]
    assert rounds[0] == ("bottleneck", 5, 5920)
    assert ("bottleneck", 3, 13632) in rounds


def test_a_network_of_many_layers_still_fits_a_page(registry: Registry) -> None:
    (one,) = api.check("densenet121", registry=registry).networks.values()
    assert len(lines(one)) <= 36
    assert len(lines(one, most=1)) > 1


def test_the_picture_is_well_formed_and_says_the_figures(registry: Registry) -> None:
    root = ElementTree.fromstring(svg(api.check("cifar100-resnet-silu", registry=registry)))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "cifar100-resnet-silu, classifier: 99,364 parameters, limit <100000" in texts
    assert "12,900" in texts  # the head
    assert "12.9%" in texts
    assert root.find(f"{SVG}line[@class='cap']") is not None
    for bar in root.iter(f"{SVG}rect"):
        assert float(bar.get("x", 0)) + float(bar.get("width", 0)) <= float(root.get("width", 0))


def test_networks_that_share_a_limit_follow_each_other_under_it(registry: Registry) -> None:
    report = api.check("cifar100-dcgan", registry=registry)
    text = svg(report)
    starts = [float(x) for x in re.findall(r'<rect class="parameters" x="([\d.]+)"', text)]
    assert starts == sorted(starts)
    assert report.cap("generator") == (999_999, "<1000000")


def test_a_network_without_a_limit_has_no_line(registry: Registry) -> None:
    source = api.load_spec("lenet5", registry=registry).to_data()
    text = svg(api.check({**source, "budget": {}}, registry=registry))
    assert 'class="cap"' not in text
    assert "share of all" in text


def test_the_page_needs_no_other_file(registry: Registry) -> None:
    text = html(page(api.check("paper-classifier", registry=registry)))
    assert "kept: parameters: 99,364 of =99364, 0 to spare" in text
    assert "12,900 · 13.0%" in text  # the head, of the limit
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"<script|<link|(src|href)=", text)


def test_what_a_spec_says_is_escaped(registry: Registry) -> None:
    report = api.check("lenet5", overrides=["summary='<script>alert(1)</script> & more'"], registry=registry)
    text = html(page(report))
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text


def test_the_picture_has_the_colours_of_the_reader(registry: Registry) -> None:
    text = svg(api.check("lenet5", registry=registry))
    assert "prefers-color-scheme: dark" in text
    assert '#fff"' not in text
