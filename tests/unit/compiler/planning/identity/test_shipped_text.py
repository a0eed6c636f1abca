"""A text that comes with Python is told from that of another Python by what it says."""

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.planning.identity.shipped_text import digest, python_docs
from craftc.schemas.plan import Trial

SPEC = """craftc: 1
name: docs
data: {{source: {source}}}
model: decoder
objective: {{kind: cross_entropy, metrics: [bits_per_character]}}
training: {{epochs: 1, batch_size: 32, optimizer: adamw}}
"""


def trial(source: str) -> Trial:
    plan = compile_spec(SPEC.format(source=source), "docs.yaml", built_in_catalogue()).plan
    assert plan is not None
    return plan.trials[0]


def test_a_trial_is_that_of_the_text_and_not_of_its_name() -> None:
    named, sha256 = trial("python_docs"), digest(python_docs())
    # A worker that has another Python is thus told so, and does not train what was not planned.
    assert named.config["data"]["source"]["sha256"] == sha256
    assert trial(f"{{kind: python_docs, sha256: {sha256}}}").id == named.id
    other = trial(f"{{kind: python_docs, sha256: {digest('another')}}}")
    assert other.id != named.id
    assert other.stages != named.stages
