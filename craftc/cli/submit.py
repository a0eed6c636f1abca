"""craftc submit: the run of a spec, handed to a Ray cluster or to Slurm."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from craftc.cli.inputs.compile_file import analyse_file
from craftc.cli.parameters import PATH, command, option
from craftc.cli.show_diagnostics import count, plain_failures
from craftc.compiler.analyse import Analysis
from craftc.compiler.own_code.import_path import project_root
from craftc.compiler.pipeline import data_files
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.on_ray.project_files import Packed, pack
from craftc.runtime.submitting.submissions import find_submission, write_submission
from craftc.schemas.spec import Spec
from craftc.schemas.submission import Submission

if TYPE_CHECKING:
    from craftc.runtime.submitting.job_server import JobServer


@command()
@click.argument("spec", type=PATH, help="The experiment.")
@option("--address", help="A Ray cluster's job server: http://HOST:8265, or ray://.")
@option("--slurm", is_flag=True, help="A batch job of Slurm, sized by resources.slurm.")
@option("--runs-dir", type=PATH, default="runs", help="Where results are kept: one folder for all machines.")
@option("--follow", is_flag=True, help="Show the job's log, and end as the job does.")
@option("--python", default="python", help="The Python of the Ray cluster's machines.")
@option("--dry-run", is_flag=True, help="Slurm: write the script, submit nothing.")
def submit(
    spec: Path, address: str | None, slurm: bool, runs_dir: Path, follow: bool, python: str, dry_run: bool
) -> None:
    """Have a cluster run the spec, as `craftc run` does here.

    To a Ray cluster the spec's project is sent: the files below the nearest pyproject.toml or .git, less what
    .gitignore and .craftcignore leave out. The same submitted twice is one job. For Slurm a script is written into the
    folder of results and given to sbatch; its nodes read the project where it is.

    Exit 0 when submitted, 1 with mistakes in the spec or a cluster that refuses; with --follow, as the run does.

    Example: `craftc submit specs/vit_ablation.yaml --address http://head:8265 --runs-dir /shared/runs --follow`
    """
    if (address is not None) == slurm:
        raise click.BadParameter("name one cluster: --address URL or --slurm", param_hint="--address")
    if slurm and follow:
        raise click.BadParameter("a Slurm job's log is a file, which the submission names", param_hint="--follow")
    if dry_run and not slurm:
        raise click.BadParameter("only --slurm writes a script", param_hint="--dry-run")
    # Not resolved: the path is meant for the cluster's machines too, where links may lead elsewhere.
    place = Path(os.path.abspath(runs_dir))
    with plain_failures():
        if address is None:
            _to_slurm(spec, place, dry_run)
        else:
            _to_ray(spec, place, address, python, follow)


def _to_ray(path: Path, runs_dir: Path, address: str, python: str, follow: bool) -> None:
    (analysed, analysis), packed = analyse_file(path), pack(path, runs_dir)
    _check_all_travels(path, analysis, packed)
    for link in packed.skipped:
        click.echo(f"warning: {link} is a link to a folder and is not sent", err=True)
    from craftc.runtime.submitting.job_server import JobServer, submission_id

    server = JobServer(address)
    name = submission_id(analysed.name, packed, str(runs_dir))
    sent = server.submit(packed, submission=name, runs_dir=str(runs_dir), python=python)
    submission = _submission(analysed, name, sent.job, packed.root, packed.spec, runs_dir)
    submission = submission.model_copy(update={"cluster": "ray", "address": address, "attempt": sent.attempt})
    place = _record_place(runs_dir)
    known = find_submission(name, place)
    # Sent before, perhaps from elsewhere: what is remembered of that here stays as it is.
    record = write_submission(place, submission if sent.is_new or known is None else known)
    if not sent.is_new:
        click.echo(f"submitted before, and {sent.state}: {sent.job}", err=True)
    else:
        attempt = f", attempt {sent.attempt}" if sent.attempt > 1 else ""
        size = f"{count(len(packed.files), 'file')}, {packed.num_bytes / 2**10:.1f} KiB"
        click.echo(f"submitted {packed.spec} with {size}{attempt}; remembered in {record}", err=True)
    click.echo(name)
    if follow:
        _follow(server, sent.job)


def _check_all_travels(path: Path, analysis: Analysis, packed: Packed) -> None:
    """Raise BackendError where what the spec includes, or reads by a relative path, is not among the files sent."""
    sent = {packed.root / name for name in packed.files}
    data = {name: path.parent / name for name in data_files(analysis)}
    named = {name: file for name, file in data.items() if not Path(name).is_absolute()}
    for name, file in [*named.items(), *((name, Path(name)) for name in analysis.fragments)]:
        found = file.resolve()
        if found not in sent and not any(found in other.parents for other in sent):
            raise BackendError("data-not-sent", f'{packed.spec} reads "{name}", which is not among the files sent')


def _follow(server: "JobServer", job: str) -> None:
    try:
        end = server.follow(job, lambda text: click.echo(text, nl=False))
    except KeyboardInterrupt:
        click.echo(f"no longer followed; the job goes on, craftc stop {job} ends it", err=True)
        raise Exit(130) from None
    click.echo(f"{job}: {end.state}{f': {end.message}' if end.message else ''}", err=True)
    raise Exit(end.exit_code if end.exit_code is not None else 1)


def _to_slurm(path: Path, runs_dir: Path, dry_run: bool) -> None:
    from craftc.runtime.submitting.slurm import batch_script, has_sbatch, sbatch

    (analysed, _), root = analyse_file(path), project_root(path)
    spec = path.resolve().relative_to(root).as_posix()
    script = runs_dir / "slurm" / f"{analysed.name}_{time.strftime('%Y%m%d_%H%M%S')}.sh"
    script.parent.mkdir(parents=True, exist_ok=True)
    text = batch_script(analysed.resources, name=analysed.name, spec=spec, root=root, runs_dir=runs_dir)
    script.write_text(text, encoding="utf-8")
    click.echo(f"wrote {script}", err=True)
    if dry_run:
        click.echo(str(script))
        return
    if not has_sbatch():
        raise BackendError("slurm-missing", f'this machine has no "sbatch"; give {script} to the one of a login node')
    job = sbatch(script)
    submission = _submission(analysed, f"{analysed.name}-j{job}", job, root, spec, runs_dir)
    record = write_submission(runs_dir, submission)
    log = runs_dir / "slurm" / f"{analysed.name}_j{job}.log"
    click.echo(f"submitted {spec} as Slurm job {job}; its log is {log}; remembered in {record}", err=True)
    click.echo(submission.id)


def _submission(spec: Spec, name: str, job: str, root: Path, path: str, runs_dir: Path) -> Submission:
    return Submission(
        id=name,
        cluster="slurm",
        job=job,
        attempt=1,
        name=spec.name,
        project=str(root),
        spec=path,
        runs_dir=str(runs_dir),
        submitted_at=time.strftime("%Y-%m-%d %H:%M:%S"),
    )


def _record_place(runs_dir: Path) -> Path:
    """The folder of results where this machine sees it, else the usual one here."""
    return runs_dir if runs_dir.is_dir() or runs_dir.parent.is_dir() else Path("runs")
