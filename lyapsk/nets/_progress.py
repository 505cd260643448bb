"""Progress of spectra that take longer than two seconds."""

from threading import Lock

from tqdm.auto import tqdm


def progress_bar(n_networks, verbose):
    """A bar on stderr, which counts networks and parts of them; none unless ``verbose``."""
    count = f" {{n:.0f}}/{n_networks} networks" if n_networks > 1 else ""
    return tqdm(
        desc="taking spectra" if n_networks > 1 else "taking the spectrum",
        delay=2,
        miniters=0,
        disable=not verbose,
        total=n_networks,
        bar_format=f"{{l_bar}}{{bar}}|{count} [{{elapsed}}<{{remaining}}]",
    )


def telling(bar):
    """Moves a bar from any thread, never beyond its end; None where there is none to see."""
    if bar.disable:
        return None
    lock = Lock()

    def tell(n_networks):
        with lock:
            bar.update(min(n_networks, bar.total - bar.n))

    return tell
