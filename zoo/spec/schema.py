"""What a spec holds: its sections with their keys, ranges and defaults. `zoo schema` prints them as JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from zoo.annotations import Field, Nested, Section, Wanted
from zoo.errors import Position, Problem
from zoo.options import canonical
from zoo.registry import Component
from zoo.spec.document import Node

# Static type checkers see `Any` for each of these, so that a default can be a component's name.
Activation: TypeAlias = Annotated[Any, Nested("activation")]
Architecture: TypeAlias = Annotated[Any, Nested("architecture")]
AugmentationOption: TypeAlias = Annotated[Any, Nested("augmentation")]
AdversarialLossOption: TypeAlias = Annotated[Any, Nested("adversarial_loss")]
DatasetOption: TypeAlias = Annotated[Any, Nested("dataset")]
ExtractorOption: TypeAlias = Annotated[Any, Nested("extractor")]
InitializerOption: TypeAlias = Annotated[Any, Nested("initializer")]
LayerOption: TypeAlias = Annotated[Any, Nested("layer", "activation", "norm", "architecture")]
LimitOption: TypeAlias = Annotated[Any, Nested("limit")]
Loss: TypeAlias = Annotated[Any, Nested("loss")]
Norm: TypeAlias = Annotated[Any, Nested("norm")]
OptimizerOption: TypeAlias = Annotated[Any, Nested("optimizer")]
ScheduleOption: TypeAlias = Annotated[Any, Nested("schedule")]
TaskOption: TypeAlias = Annotated[Any, Nested("task")]
MetricOption: TypeAlias = Annotated[Any, Nested("metric")]
CallbackOption: TypeAlias = Annotated[Any, Nested("callback")]
TrackerOption: TypeAlias = Annotated[Any, Nested("tracker")]

#: Keys that came after the first runs, with their defaults. They count in a hash only where they say something else, so
#: that what was begun before is still known by its own.
LATER_KEYS: dict[str, Any] = {
    "train.seeds": 1,
    "train.norm_batches": 0,
    "train.on_nonfinite": "stop",
    "train.keep": "last",
    "train.stop": None,
    "networks.*.freeze": [],
    "networks.*.rates": {},
    "callbacks": [],
}
#: Layers that give names to what stands around them.
NAMING = ("name", "weights", "output")
SCALARS = frozenset((str, int, float, bool, type(None)))  # types of plain values that hold nothing
SPEC_NAME = r"^[a-z0-9][a-z0-9._-]*$"
Decay: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
PositiveInt: TypeAlias = Annotated[int, Field(ge=1, le=10**12)]


@dataclass(frozen=True)
class ComponentSpec:
    """A component that a spec names, with all its options filled in and checked.

    `options` holds plain values, and ComponentSpecs where an option is a component. `pending` are the options that
    wait for a shape, as they were written; in `options` they stand as text.
    """

    component: Component
    options: dict[str, Any] = field(default_factory=dict)
    at: Position | None = field(default=None, compare=False)
    label: str = field(default="", compare=False)  # of the block that it was written as
    pending: dict[str, Node] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.component.name

    @cached_property
    def extent(self) -> tuple[int, int]:
        """How many components it consists of, and how many of them stand inside each other, itself included."""
        size, depth = _extent(self.options.values())
        return 1 + size, 1 + depth

    @cached_property
    def gives_names(self) -> bool:
        """Whether it, or a layer in it, gives a name to what passes, to weights or to an output."""
        return self.name in NAMING or any(map(_gives_names, self.options.values()))

    def data(self) -> dict[str, Any]:
        """Return `{name: options}` as plain data."""
        return {self.name: self.options_data()}

    def written(self) -> str:
        """Return it in a line, as a spec could have it."""
        from zoo.spec.writer import write_line

        options = self.options_data()
        return f"{self.name}: {write_line(options)}" if options else self.name

    def options_data(self) -> dict[str, Any]:
        """Return the options alone as plain data."""
        return {key: to_data(value) for key, value in self.options.items()}


def _gives_names(value: Any) -> bool:
    if isinstance(value, ComponentSpec):
        return value.gives_names
    if isinstance(value, (list, tuple, dict)):
        return any(map(_gives_names, value.values() if isinstance(value, dict) else value))
    return False


def _extent(values: Iterable[Any]) -> tuple[int, int]:
    size = depth = 0
    for value in values:
        if type(value) in SCALARS:
            continue
        if isinstance(value, ComponentSpec):
            own, deep = value.extent
        elif isinstance(value, (list, tuple, dict)):
            own, deep = _extent(value.values() if isinstance(value, dict) else value)
        else:
            continue
        size += own
        depth = max(depth, deep)
    return size, depth


@dataclass(frozen=True, kw_only=True)
class Averaging:
    """How weights are averaged over the updates; a decay alone stands for one with its warm-up."""

    decay: Decay
    warmup: bool = True

    __pydantic_config__ = {"extra": "forbid", "strict": True}

    @classmethod
    def of(cls, written: float | Averaging | None) -> Averaging | None:
        """Return what a spec says, in full."""
        return cls(decay=written) if isinstance(written, float) else written


@dataclass(frozen=True, kw_only=True)
class Stop:
    """When a training that gets no better ends."""

    patience: Annotated[int, Field(ge=1, description="Validations in a row without a better one.")]
    figure: Annotated[str, Field(description='A figure of the task, which `keep` goes by too; "": its first.')] = ""

    __pydantic_config__ = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """One network: what it is, and how it is trained."""

    architecture: Architecture
    init: InitializerOption = "default"
    freeze: Annotated[
        list[str],
        Field(description="Names of weights, or of parts that hold some, that stay as they begin, with their norms."),
    ] = field(default_factory=list)
    rates: Annotated[
        dict[str, Annotated[float, Field(gt=0)]],
        Field(description="Factors on the learning rate of weights, by their names or those of parts that hold some."),
    ] = field(default_factory=dict)
    optimizer: OptimizerOption = "adam"
    schedule: ScheduleOption = "constant"
    gradient_clip: (
        Annotated[float, Field(gt=0, description="Largest norm of the gradient; null: no clipping.")] | None
    ) = None
    ema: Annotated[
        Decay | Averaging | None,
        Wanted("a number > 0 and < 1, {decay: such a number, warmup: true or false} or null"),
        Field(description="Decay of the averaged weights that are evaluated, less in the beginning; null: none."),
    ] = None
    budget: dict[str, LimitOption] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # What means the same is written alike, with the hash from when a number was all that could stand here.
        if isinstance(self.ema, Averaging) and self.ema.warmup:
            object.__setattr__(self, "ema", self.ema.decay)


@dataclass(frozen=True, kw_only=True)
class TrainSpec:
    """How long, how much at once, from which seed, and on what."""

    steps: Annotated[PositiveInt, Field(description="Steps of the loop; each updates every network at least once.")]
    batch_size: Annotated[int, Field(ge=1, le=2**20, description="Images per step.")] = 64
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    seeds: Annotated[
        int, Field(ge=1, le=1000, description="Trainings, from this seed and those that follow it, one run each.")
    ] = 1
    accumulate: Annotated[int, Field(ge=1, description="Parts that a batch is cut into to save memory.")] = 1
    validation: Annotated[int, Field(ge=0, description="Training images held out to choose by.")] = 0
    evaluate_every: Annotated[int, Field(ge=0, description="Steps between validations; 0: never.")] = 0
    checkpoint_every: Annotated[int, Field(ge=0, description="Steps between checkpoints; 0: only at the end.")] = 1000
    log_every: Annotated[int, Field(ge=1, description="Steps between lines of metrics.")] = 50
    sample_every: Annotated[
        int, Field(ge=0, description="Steps between pictures at fixed latents, where the task makes images; 0: none.")
    ] = 0
    norm_batches: Annotated[
        int, Field(ge=0, description="Batches over which norms take their running statistics anew, at the end.")
    ] = 0
    on_nonfinite: Annotated[
        Literal["stop", "skip", "rollback"],
        Field(
            description="What becomes of a step that is not finite. skip: it is taken back, at the cost of a copy of "
            "all state in each step. rollback: the run goes on from the last checkpoint, without the steps around it."
        ),
    ] = "stop"
    keep: Annotated[
        Literal["last", "best"], Field(description="Weights that a run ends with. best: those of its best validation.")
    ] = "last"
    stop: Annotated[
        Stop | None,
        Wanted("{patience: a number of validations, figure: its name} or null"),
        Field(description="End before the last step, where validations get no better; null: never."),
    ] = None
    test_at_end: Annotated[bool, Field(description="Evaluate on the test images once, after the last step.")] = True
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$"), Wanted("auto, cpu, mps, cuda or cuda:0")] = (
        "auto"
    )
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "auto"
    engine: Annotated[
        Literal["auto", "eager", "compile", "graph", "compiled_graph"],
        Field(description="graph: the whole step is captured on a CUDA device and replayed."),
    ] = "auto"


@dataclass(frozen=True, kw_only=True, repr=False)
class Spec:
    """A whole spec, resolved: every default filled in, every name looked up."""

    zoo: Annotated[Literal[1], Field(description="Version of the spec format.")]
    name: Annotated[
        str,
        Field(pattern=SPEC_NAME, max_length=100),
        Wanted("a name of lower-case letters, digits, '-', '_' and '.'"),
    ]
    summary: str = ""
    task: TaskOption
    data: DatasetOption
    augment: list[AugmentationOption] = field(default_factory=list)
    networks: dict[str, Annotated[Any, Section(NetworkSpec)]]
    train: Annotated[Any, Section(TrainSpec)]
    metrics: list[MetricOption] = field(default_factory=list)
    callbacks: list[CallbackOption] = field(default_factory=list)
    #: Who is told says nothing of what is trained: it stands in no hash, and in no record of a run.
    trackers: list[TrackerOption] = field(default_factory=list, compare=False, metadata={"told": True})
    budget: dict[str, LimitOption] = field(default_factory=dict)
    #: What it was read from, without variables.
    document: Node = field(init=False, compare=False, repr=False, default=Node({}, Position("", 0, 0)))
    #: What is allowed in it and surely not meant, as far as its own text tells.
    warnings: tuple[Problem, ...] = field(init=False, compare=False, repr=False, default=())

    def __repr__(self) -> str:
        return f"<Spec of {self.name}: {self.task.name} on {self.data.name}, {self.hash[:8]}>"

    @cached_property
    def places(self) -> dict[str, Position]:
        """Where each part of the document was written, by its dotted path."""
        return dict(self.document.places())

    def to_data(self) -> dict[str, Any]:
        """Return the resolved spec as plain data; reading it again gives an equal spec."""
        data: dict[str, Any] = to_data(self)
        return data

    @property
    def hash(self) -> str:
        """SHA-256 of the resolved spec; two specs that say the same have one hash."""
        return hash_of(self.to_data())


def hash_of(data: dict[str, Any]) -> str:
    """Return the hash of a resolved spec's plain data, as it was written and whatever defaults came later."""
    from zoo.spec.compose import content_hash

    for path, default in LATER_KEYS.items():
        data = _without(data, path.split("."), default)
    return content_hash(data)


def _without(data: dict[str, Any], keys: list[str], default: Any) -> dict[str, Any]:
    """Return `data` without the value that `keys` lead to, where it is the default."""
    first, *rest = keys
    if first == "*":
        return {key: _without(one, rest, default) for key, one in data.items()}
    if first not in data:
        return data
    if rest:
        return {**data, first: _without(data[first], rest, default)}
    held = list(data[first]) if isinstance(data[first], tuple) else data[first]
    return {key: one for key, one in data.items() if key != first} if held == default else data


def copied(value: Any) -> Any:
    """Return an option's value with lists and mappings of its own; what stands in them is the same."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(copied, value)) if type(value) in (list, tuple) else value
    return {key: copied(one) for key, one in value.items()} if type(value) is dict else value


def to_data(value: Any) -> Any:
    """Return a resolved value, ComponentSpecs and sections included, as plain data."""
    if isinstance(value, ComponentSpec):
        return value.data()
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: to_data(getattr(value, one.name)) for one in fields(value) if one.init and not one.metadata}
    if isinstance(value, dict):
        # A mapping of components is keyed by their names, so each stands there with its options alone.
        return {
            key: item.options_data() if isinstance(item, ComponentSpec) else to_data(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [to_data(item) for item in value]
    return canonical(value)
