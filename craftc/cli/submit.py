"""craftc submit: the run of a spec, handed to a cluster."""

import os
import secrets
import sys
import time
from pathlib import Path

import click
from click.exceptions import Exit

from craftc.cli.inputs.compile_file import analyse_file
from craftc.cli.parameters import PATH, RUNS_DIR, command, option
from craftc.cli.show_diagnostics import plain_failures
from craftc.compiler.own_code.import_path import project_root
from craftc.compiler.pipeline import data_files
from craftc.runtime.store.shown_command import shown_command
from craftc.runtime.submitting.cluster import RAY, SLURM, Cluster, Rehearsed, RunRequest
from craftc.runtime.submitting.open_cluster import open_cluster
from craftc.runtime.submitting.submissions import find_submission, write_submission
from craftc.schemas.catalogue import is_own
from craftc.schemas.submission import Submission
from craftc.secret_text import bare_address
from craftc.tolerant_stream import is_unread


@command()
@click.argument("spec", type=PATH, help="The experiment.")
@option("--address", help="A Ray cluster's job server: http://HOST:8265, or ray://.")
@option("--slurm", is_flag=True, help="A batch job of Slurm, sized by resources.slurm.")
@option("--cluster", help="A cluster of your own: package.module:Name.")
@option(
    "--runs-dir",
    type=PATH,
    default="runs",
    envvar=RUNS_DIR,
    help=f"Where results are kept: one folder for all machines; {RUNS_DIR} sets it too.",
)
@option("--follow", is_flag=True, help="Show the job's log, and end as the job does.")
@option("--python", default="python", help="The Python of the Ray cluster's machines.")
@option(
    "--dry-run", is_flag=True, help="Submit nothing: list the files that would be sent; of Slurm, write the script."
)
def submit(
    spec: Path,
    address: str | None,
    slurm: bool,
    cluster: str | None,
    runs_dir: Path,
    follow: bool,
    python: str,
    dry_run: bool,
) -> None:
    """Have a cluster run the spec, as `craftc run` does here.

    To a Ray cluster the spec's project is sent: the files below the nearest pyproject.toml or .git, less what
    .gitignore and .craftcignore leave out, less what may hold secrets by its name (.env, *.pem, .ssh); no link is
    followed out of it. The same submitted twice is one job. For Slurm a script is written into the
    folder of results and given to sbatch; its nodes read the project where it is. `--cluster` names a class of your
    own, in the spec's project or installed, that does with the run what it likes.

    Exit 0 when submitted, 1 with mistakes in the spec or a cluster that refuses; with --follow, as the run does.

    Example: `craftc submit specs/vit_ablation.yaml --address http://head:8265 --runs-dir /shared/runs --follow`
    """
    named = [kind for kind, is_named in ((RAY, address is not None), (SLURM, slurm), (cluster, cluster)) if is_named]
    if len(named) != 1 or (cluster is not None and not is_own(cluster)):
        message = "name one cluster: --address URL, --slurm or --cluster package.module:Name"
        raise click.BadParameter(message, param_hint="--address")
    kind = str(named[0])
    # Not resolved: the path is meant for the cluster's machines too, where links may lead elsewhere.
    place = Path(os.path.abspath(runs_dir))
    with plain_failures():
        request = _request(spec, place)
        opened = open_cluster(kind, runs_dir=place, spec=spec, address=address, python=python)
        if dry_run and not isinstance(opened, Rehearsed):
            raise click.BadParameter(f"{kind} has nothing to show beforehand; --slurm has", param_hint="--dry-run")
        if dry_run:
            return _rehearse(opened, request)
        job = _submit(opened, request, kind, address)
        if follow:
            _follow(opened, job, place)


def _request(path: Path, runs_dir: Path) -> RunRequest:
    """What a cluster is asked for. Ends with 1 on mistakes in the spec."""
    spec, analysis = analyse_file(path)
    root = project_root(path)
    data = {name: path.parent / name for name in data_files(analysis) if not Path(name).is_absolute()}
    return RunRequest(
        id=f"{spec.name}-{secrets.token_hex(4)}",
        name=spec.name,
        project=root,
        spec=path.resolve().relative_to(root).as_posix(),
        runs_dir=runs_dir,
        resources=spec.resources,
        reads={**data, **{name: Path(name) for name in analysis.fragments}},
    )


def _rehearse(cluster: Cluster, request: RunRequest) -> None:
    assert isinstance(cluster, Rehearsed)
    written = cluster.dry_run(request)
    for note in written.notes:
        click.echo(note, err=True)
    click.echo(written.job)


def _submit(cluster: Cluster, request: RunRequest, kind: str, address: str | None) -> str:
    """Submit, and remember it; the job."""
    sent = cluster.submit(request)
    submission = Submission(
        id=sent.id or request.id,
        cluster=kind,
        address=None if address is None else bare_address(address),
        job=sent.job,
        attempt=sent.attempt,
        name=request.name,
        project=str(request.project),
        spec=request.spec,
        runs_dir=str(request.runs_dir),
        submitted_at=time.strftime("%Y-%m-%d %H:%M:%S"),
    )
    place = _record_place(request.runs_dir)
    known = find_submission(submission.id, place)
    # Sent before, perhaps from elsewhere: what is remembered of that here stays as it is.
    record = write_submission(place, submission if sent.is_new or known is None else known)
    for note in sent.notes:
        click.echo(note, err=True)
    if sent.is_new:
        summary = sent.summary or f"submitted {request.spec} as job {sent.job}"
        click.echo(f"{summary}; remembered in {record}", err=True)
    else:
        click.echo(f"submitted before, and {sent.state}: {sent.job}", err=True)
    click.echo(submission.id)
    return sent.job


def _follow(cluster: Cluster, job: str, runs_dir: Path) -> None:
    def write(text: str) -> None:
        click.echo(text, nl=False)
        if is_unread(sys.stdout):
            raise KeyboardInterrupt

    try:
        cluster.logs(job, write)
    except KeyboardInterrupt:
        stop = shown_command("stop", job, runs_dir=runs_dir)
        click.echo(f"no longer followed; the job goes on, and {stop} ends it", err=True)
        raise Exit(130) from None
    end = cluster.status(job)
    click.echo(f"{job}: {end.state}{f': {end.message}' if end.message else ''}", err=True)
    raise Exit(end.end)


def _record_place(runs_dir: Path) -> Path:
    """The folder of results where this machine sees it, else the usual one here."""
    return runs_dir if runs_dir.is_dir() or runs_dir.parent.is_dir() else Path("runs")
