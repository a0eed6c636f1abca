"""Says which artefacts there are, and where."""

from craftc.schemas.conclusion import Conclusion, ShownArtefact

MOST_LISTED = 6


def artefact_lines(conclusion: Conclusion) -> list[str]:
    """A line for each artefact by name, with the file to open of the baseline first, or of who has it."""
    by_name: dict[str, list[ShownArtefact]] = {}
    for each in conclusion.artefacts:
        by_name.setdefault(each.name, []).append(each)
    return [_line(name, found, conclusion) for name, found in by_name.items()]


def _line(name: str, found: list[ShownArtefact], conclusion: Conclusion) -> str:
    best = [each for each in found if each.is_best]
    shown = min(best or found, key=lambda each: (each.variant != conclusion.baseline, not each.is_best))
    file = shown.files[0] if shown.files else shown.path
    at = "" if shown.is_best else f" at {conclusion.record_name} {shown.epoch}"
    line = f"{name} of {shown.variant} {shown.replicate}{at}, {shown.of}: {file}"
    variants = list(dict.fromkeys(each.variant for each in found if each.variant != shown.variant))
    listed = ", ".join(variants[:MOST_LISTED]) + (
        f" and {len(variants) - MOST_LISTED} more" * (len(variants) > MOST_LISTED)
    )
    others = [f"also of {listed}"] if variants else []
    epochs = sorted({each.epoch for each in found if not each.is_best})
    if epochs and best:
        others.append(f"while training, at {len(epochs)} {conclusion.record_name}s from {epochs[0]} to {epochs[-1]}")
    return f"{line} ({'; '.join(others)})" if others else line
