"""`headway down --purge`: what goes for good is named, and the user is asked."""

from cli.asking import ask
from cli.output import say, warn
from delivery.counting import counted
from delivery.home import Home

WHERE = "headway down --purge"


def purge(home: Home, *, yes: bool) -> None:
    """Remove the whole platform once the user agreed; nothing is changed before."""
    from delivery.platform.shutdown import find_losses, purge_platform

    if not home.root.exists():
        say(f"there is no platform in {home.root}")
        return
    losses = find_losses(home)
    warn(f"this destroys the platform in {home.root} for good, with all images, reports and history:")
    for volume in losses.volumes:
        size = f", {volume.size_bytes / 1e6:.0f} MB" if volume.size_bytes is not None else ""
        where = f" at {volume.host}" if volume.host else ""
        warn(f"  {volume.environment} of {volume.app}: {volume.keeps}: volume {volume.name}{where}{size}")
    for host in losses.unreached:
        warn(f"  {host} does not answer: what runs there stays, and nobody removes it later")
    for run in losses.runs:
        warn(f"  a delivery is under way and ends with it: {run}")
    if losses.backups:
        warn(f"  {counted(losses.backups, 'backup')} in {home.backups}: copy the folder to keep them")
    elif losses.volumes:
        warn("no backup of it is kept: what shall stay must be dumped before")
    ask("Destroy all of it?", where=WHERE, otherwise="nothing was destroyed: the platform is as it was", yes=yes)
    say(f"removed: {', '.join(purge_platform(home))}")
