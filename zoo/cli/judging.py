"""What `check --challenge` prints: each rule with what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from zoo import api
from zoo.challenges.judging import Judgement, Ruling, State
from zoo.challenges.submission import is_submission
from zoo.cli import options, units
from zoo.cli.errors import describe, error_data
from zoo.cli.specs import expand
from zoo.cli.terminal import Terminal
from zoo.errors import ZooError

VERBS: dict[State, str] = {"broken": "breaks", "kept": "keeps", "not checked": "leaves open"}


def judge(source: str, submissions: Sequence[str], overrides: Sequence[str], as_json: bool) -> int:
    """Judge submissions by the challenge `source`, print the rulings, and return the first exit code that is not 0.

    Raises SpecError when the challenge itself is wrong.
    """
    challenge = api.load_challenge(source)
    terminal = Terminal()
    code, documents = 0, []
    for index, submission in enumerate(_expanded(submissions)):
        try:
            found = api.judge_submission(challenge, submission, overrides=overrides)
        except ZooError as error:
            code = code or error.exit_code
            documents.append({"submission": submission, **error_data(error)})
            if not as_json:
                click.echo(describe(error), err=True)
            continue
        code = code or found.exit_code
        documents.append({"submission": submission, "exit_code": found.exit_code, **found.to_data()})
        if not as_json:
            if index:
                terminal.line()
            show_judgement(found, terminal)
    if as_json:
        options.print_json(documents)
    return code


def _expanded(sources: Sequence[str]) -> Iterator[str]:
    """Yield `sources`, with each folder of specs replaced by the specs in it."""
    for source in sources:
        yield from [source] if is_submission(Path(source)) else expand([source])


def show_judgement(found: Judgement, terminal: Terminal) -> None:
    """Print the verdict in a line, each rule that was or could be checked, and what a person has to affirm."""
    numbers = Counter(one.state for one in found.rulings)
    parts = [f"{verb} {_rules(numbers[state])}" for state, verb in VERBS.items() if numbers[state]]
    who = f"{found.submission.label} ({found.submission.kind}) in {found.challenge.name}"
    terminal.line(f"{who}: {', '.join(parts)}", style="bold green" if found.kept else "bold red")
    terminal.line()
    rows = [_row(one) for one in found.rulings if one.rule != "declaration"]
    terminal.table(("rule", "found", "wanted", "verdict"), rows, fold=("found", "wanted"))
    declared = [one.wanted for one in found.rulings if one.rule == "declaration"]
    if declared:
        terminal.line()
        terminal.line("not checked, for a person to affirm:")
        for text in declared:
            terminal.line(f"- {text}")


def _row(one: Ruling) -> tuple[str, ...]:
    return (one.rule, one.found, one.wanted, f"{one.state}: {one.remark}" if one.remark else one.state)


def _rules(number: int) -> str:
    return f"{number} {units.plural('rule', number)}"
