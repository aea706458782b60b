"""Where a study is kept: a database that its workers meet in, and what they find there."""

from __future__ import annotations

import contextlib
import math
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from zoo.distribution import install_command
from zoo.errors import RunError, ZooError, listing
from zoo.files import write_text
from zoo.random import derive_seed
from zoo.spec.difference import MISSING, differences
from zoo.spec.document import kind
from zoo.spec.free import Range
from zoo.sweeps.plan import Plan
from zoo.text import without_password

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

FILE = "study.db"
ORIGIN = ".origin"  # tells the folder that a study was begun in from others that joined it
WORKS = "works"  # the constraint that a point breaks which cannot be built or trained
COVERING = (AssertionError, UnboundLocalError)  # by which Optuna covers what went wrong while it was told of a trial
ATTEMPTS = 3  # to make the tables, which another machine may be making at the same moment


def optuna() -> Any:
    """Return the module. Raises ZooError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise ZooError(f"`zoo sweep` needs the package optuna: {install_command('sweep')}") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_study(plan: Plan) -> Study:
    """Return the study of `plan`, made where it is not there yet.

    Raises RunError when the database cannot be reached, or holds a study of that name with another space.
    """
    return begin(plan)[0]


def begin(plan: Plan) -> tuple[Study, bool]:
    """Return the study of `plan`, and whether it was made now."""
    found = optuna()
    plan.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(plan.folder / ".study.lock"), reachable(plan), _quiet():
        storage = _storage(plan)
        study: Study = found.create_study(
            study_name=plan.name,
            storage=storage,
            directions=list(plan.study.figures.values()),
            load_if_exists=True,
            sampler=_sampler(plan),
            pruner={
                "none": found.pruners.NopPruner,
                "median": found.pruners.MedianPruner,
                "hyperband": found.pruners.HyperbandPruner,
            }[plan.study.pruner](),
        )
        return study, _identify(study, plan)


def _storage(plan: Plan) -> Any:
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import DatabaseError

    for attempt in range(ATTEMPTS):
        with contextlib.suppress(DatabaseError) if attempt + 1 < ATTEMPTS else contextlib.nullcontext():
            try:
                return RDBStorage(
                    url(plan),
                    # SQLite lets one write at a time; the others wait as long as this.
                    engine_kwargs={"connect_args": {"timeout": 60}} if not plan.storage else {"pool_pre_ping": True},
                    heartbeat_interval=plan.heartbeat,
                    grace_period=2 * plan.heartbeat,
                    heartbeat_stale_trial_callback=lambda study, trial: take_up_again(study, trial, plan, killed=True),
                )
            except AssertionError:  # as where no further file can be opened
                raise StorageInternalError("Optuna cannot read its own files; are too many open?") from None
    raise AssertionError("the last attempt returns or raises")


def url(plan: Plan) -> str:
    """Return the address of the database as SQLAlchemy reads it, with the driver that the extra brings."""
    if not plan.storage:
        return f"sqlite:///{(plan.folder / FILE).resolve()}"
    scheme, _, rest = plan.storage.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else plan.storage


@contextlib.contextmanager
def reachable(plan: Plan) -> Iterator[None]:
    """Say of a database that is away, or goes away, what it is and what to do."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError, ImportError, *COVERING) as told:
        error: BaseException | None = told
        while isinstance(error, COVERING):
            error = error.__context__
        if isinstance(error, (OSError, ZooError)) and not isinstance(error, ImportError):
            raise error from None
        if not isinstance(error, (SQLAlchemyError, StorageInternalError, ImportError)):
            raise
        where = without_password(plan.storage or str(plan.folder / FILE))
        cause = getattr(error, "orig", None) or error.__cause__ or error
        reason = without_password(" ".join(str(cause).split()))
        raise RunError(
            f"{where}: the study cannot be reached ({reason}); start the database or look at its address, and repeat "
            "the command: what was trained is kept in its run folders"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Heartbeats are called experimental in each process anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def silent_heart(say: Callable[[str], object]) -> Iterator[None]:
    """Tell in a line of a sign of life that could not be given; Python would show where in Optuna's thread it was."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    before = threading.excepthook

    def told(given: threading.ExceptHookArgs) -> None:
        if issubclass(given.exc_type, (StorageInternalError, SQLAlchemyError)):
            say("warning: the study took no sign of life of this worker, which others may take for dead")
        else:
            before(given)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = before


def _sampler(plan: Plan) -> BaseSampler:
    samplers, study = optuna().samplers, plan.study
    seed = derive_seed(study.seed, "sweep", plan.draw) % 2**32
    if study.sampler == "grid":
        values = {name: one.values for name, one in plan.domains.items()}
        return samplers.GridSampler(values, seed=seed)
    if study.sampler == "nsga2":
        # Some five generations, so that there is something to inherit.
        size = max(4, min(50, study.trials // 5))
        return samplers.NSGAIISampler(population_size=size, seed=seed)
    kind_of = samplers.RandomSampler if study.sampler == "random" else samplers.TPESampler
    return kind_of(seed=seed)


def _identify(study: Study, plan: Plan) -> bool:
    """Note what the study is about, or see that it is about the same; return whether it was new."""
    before = study.user_attrs.get("zoo")
    if before is None:
        origin = uuid.uuid4().hex
        write_text(plan.folder / ORIGIN, origin)
        study.set_user_attr("origin", origin)
        study.set_user_attr("zoo", plan.identity)
    elif before != plan.identity:
        changes = [
            f"{one.path}: {', not '.join('nothing' if value is MISSING else kind(value) for value in one[1:])}"
            for one in differences(before, plan.identity)
        ]
        where = without_password(plan.storage) if plan.storage else str(plan.folder)
        what = f", with {listing(changes, 4)}" if changes else ""
        raise RunError(
            f"{where}: it holds a study called {plan.name} of another space{what}; give this one another name, or "
            "another folder with --study"
        )
    return before is None


def begun_here(study: Study, plan: Plan) -> bool:
    """Whether the study was begun in this folder: there it is confirmed."""
    path = plan.folder / ORIGIN
    return path.exists() and path.read_text(encoding="utf-8") == study.user_attrs.get("origin")


def ask(trial: Any, plan: Plan) -> dict[str, Any]:
    """Return the point that the sampler proposes."""
    values: dict[str, Any] = {}
    for name, one in plan.domains.items():
        if not isinstance(one, Range):
            values[name] = trial.suggest_categorical(name, one.values)
            continue
        # A grid ends with its last point, which may lie before the end of the range.
        end = one.end if one.step is None or one.log else one.start + (one.count - 1) * one.step
        if one.whole:
            values[name] = trial.suggest_int(
                name, one.start, end, step=1 if one.log else int(one.step or 1), log=one.log
            )
        else:
            values[name] = trial.suggest_float(name, one.start, end, step=None if one.log else one.step, log=one.log)
    return values


def folder_of(trial: FrozenTrial) -> str:
    """Return the name of the run folder of a trial that trained; "" of others."""
    return str(trial.user_attrs.get("folder", ""))


def take_up_again(study: Study, trial: FrozenTrial, plan: Plan, *, killed: bool) -> None:
    """Let a trial that was stopped go on in its run folder; one that kills its processes is given up at last."""
    found = optuna()
    if not folder_of(trial):
        return  # it was only being proposed
    kills = trial.user_attrs.get("kills", 0) + killed
    told = {**trial.user_attrs, "kills": kills}
    if kills > plan.study.retries:
        # Told as a point that does not work, so that the sampler keeps away from it.
        state, told = found.trial.TrialState.PRUNED, {**told, "given_up": f"its process was killed {kills} times"}
        constraints = {**trial.constraints, WORKS: 1.0}
    else:
        state, constraints = found.trial.TrialState.WAITING, dict(trial.constraints)
    study.add_trial(
        found.create_trial(
            state=state,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=told,
            # Where a grid stands, and the like.
            system_attrs={key: one for key, one in trial.system_attrs.items() if not key.startswith("constraints")},
            constraints=constraints,
        )
    )


def _watch_silent(study: Study) -> None:
    """Give a sign of life for trials whose workers never gave one: from it on their silence counts.

    A worker that is killed before its first one would be waited for without end.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    running = [one for one in study.get_trials(deepcopy=False) if one.state.name == "RUNNING"]
    if not running:
        return
    storage: Any = study._storage
    with getattr(storage, "_backend", storage).engine.connect() as connection:
        known = {row[0] for row in connection.execute(text("SELECT trial_id FROM trial_heartbeats"))}
    for one in running:
        if one._trial_id not in known:
            with contextlib.suppress(IntegrityError, StorageInternalError):  # its worker just gave one
                storage.record_heartbeat(one._trial_id)


@dataclass(frozen=True)
class Standing:
    """How far a study is."""

    trials: Sequence[FrozenTrial]

    @classmethod
    def of(cls, study: Study, plan: Plan) -> Standing:
        """Look at the study, and take up what dead workers left."""
        with _quiet():
            _watch_silent(study)
            optuna().storages.fail_stale_trials(study)
        with FileLock(plan.folder / ".study.lock"):
            standing = cls(study.get_trials(deepcopy=False))
            dropped = standing._dropped(2 * plan.heartbeat)
            for trial in dropped:
                take_up_again(study, trial, plan, killed=True)
        return cls(study.get_trials(deepcopy=False)) if dropped else standing

    def _dropped(self, grace_seconds: float) -> list[FrozenTrial]:
        """Return trials that failed and that nobody takes up: who was to do it was killed in between."""
        last = {folder_of(one): one.number for one in self.trials}
        now = datetime.now()
        return [
            one
            for one in self._in("FAIL")
            if folder_of(one)
            and last[folder_of(one)] == one.number
            and one.datetime_complete is not None
            and abs((now - one.datetime_complete).total_seconds()) > grace_seconds
        ]

    def _in(self, *states: str) -> list[FrozenTrial]:
        return [one for one in self.trials if one.state.name in states]

    @property
    def waiting(self) -> list[FrozenTrial]:
        return self._in("WAITING")

    @property
    def running(self) -> list[FrozenTrial]:
        return self._in("RUNNING")

    @property
    def begun(self) -> list[FrozenTrial]:
        """Trials that train, did, or wait to go on."""
        return [one for one in self._in("WAITING", "RUNNING", "COMPLETE", "PRUNED") if folder_of(one)]

    @property
    def complete(self) -> list[FrozenTrial]:
        """Trained to the end, each once: two workers may take up one trial at the same moment."""
        return list({folder_of(one): one for one in reversed(self._in("COMPLETE")) if folder_of(one)}.values())[::-1]

    @property
    def refused(self) -> list[FrozenTrial]:
        return [one for one in self.trials if "refused" in one.user_attrs]

    @property
    def fruitless(self) -> int:
        """How many of the last points led to no training."""
        count = 0
        for one in reversed(self.trials):
            if folder_of(one):
                break
            count += one.state.is_finished()
        return count

    @property
    def points(self) -> int:
        """How many different points were tried to an end."""
        return len({tuple(sorted(one.params.items())) for one in self._in("COMPLETE", "PRUNED")})

    def nearest(self) -> FrozenTrial:
        """Return the refused point that is the least over its limits."""
        return min(self.refused, key=lambda one: sum(max(0.0, value) for value in one.constraints.values()) or math.inf)
