"""Tells on standard error which files were found damaged, and how many of earlier versions have no seal."""

from collections.abc import Sequence

import click

from craftc.cli.show_diagnostics import count

MAX_DAMAGED = 5
"""Files of which a warning tells one by one."""
COUNTS_AS_NEW = "the trial counts as new, and a run writes it again"
NOT_FINISHED = "the trial counts as not finished; craftc run trains it again, from its last sound state"


def tell_of_damaged(messages: Sequence[str], then: str) -> None:
    """One line for each file that is damaged, of many for the first; `then` says what follows from it."""
    known = list(dict.fromkeys(messages))
    for message in known[:MAX_DAMAGED]:
        click.echo(f"warning[result-unreadable]: {message}; {then}", err=True)
    if len(known) > MAX_DAMAGED:
        more = count(len(known) - MAX_DAMAGED, "more result")
        click.echo(f"warning[result-unreadable]: {more} cannot be read; craftc verify names all", err=True)


def tell_of_unsealed(num: int) -> None:
    """One line for all that have no seal; none for none."""
    if num:
        them = count(num, "reused result")
        text = f"{them} of an earlier version of craftc {'has' if num == 1 else 'have'} no seal that shows damage"
        click.echo(f"note: {text}; craftc verify --fix seals {'it' if num == 1 else 'them'}", err=True)
