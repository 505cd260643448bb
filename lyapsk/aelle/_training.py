"""The training loop: all members at once, each keeping the weights that its held-out rows like."""

import math

import torch
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from ..exceptions import InvalidInputError

LARGEST_BATCH = 1024
"""Rows of one step."""

MOST_STEPS = 4
"""Steps in units of the epochs asked for: many rows take fewer epochs, though at least one."""

WARMUP = 10
"""Steps over which the step size grows to its full value."""


def train(
    members,
    inputs,
    targets,
    shares,
    held_out,
    row_loss,
    *,
    keep_best,
    noise,
    lr,
    max_epochs,
    device,
    verbose,
):
    """Fit an ensemble in place, and leave it on the CPU.

    Stands in for skorch's loop, whose early stopping knows one network and one validation set.

    Parameters
    ----------
    members : ResidualAutoencoders or PaperAutoencoder
    inputs, targets : Tensor of shape (n_rows, n_inputs) and (n_rows, n_targets)
    shares : Tensor of shape (n_rows,)
        What each row counts.
    held_out : Tensor of bool, shape (n_members, n_rows)
        Rows that a member does not learn from.
    row_loss : callable
        ``row_loss(outputs, inputs, targets, progress)`` gives the loss (n_members, n_rows) of
        ``outputs``, reconstruction and prediction; ``progress`` goes from 0 to 1.
    keep_best : bool
        Whether members keep the weights with the smallest loss on their held-out rows, if there
        are any. Otherwise the last.
    noise : float
        Standard deviation of fresh noise on the inputs of every step.
    lr : float
        Largest step size of AdamW.
    max_epochs : int
    device : str
    verbose : int
        Above 0, a progress bar.
    """
    members.to(device).train()
    inputs, targets, shares = (tensor.to(device) for tensor in (inputs, targets, shares))
    held, learned = (shares * mask.to(device) for mask in (held_out, ~held_out))
    total = learned.sum(1, keepdim=True)
    n_batches = -(-len(inputs) // LARGEST_BATCH)
    n_epochs = max(1, min(max_epochs, MOST_STEPS * max_epochs // n_batches))
    optimizer = torch.optim.AdamW(members.parameters(), lr=lr, fused=True)
    schedule = LambdaLR(optimizer, lambda step: _step_size(step, n_epochs * n_batches))
    best = Best(members)

    def losses_of(rows, progress):
        clean = inputs[rows]
        blurred = clean + noise * torch.randn(clean.shape, dtype=clean.dtype).to(device)
        outputs = _outputs(members, blurred.expand(members.n_members, -1, -1))
        return row_loss(outputs, clean, targets[rows], progress)

    for epoch in tqdm(range(n_epochs), desc="training AeLLE", disable=not verbose):
        start, lost = _copies(members), 0
        for rows in torch.randperm(len(inputs)).to(device).split(LARGEST_BATCH):
            losses = losses_of(rows, epoch / n_epochs)
            lost = lost + (losses.detach() * held[:, rows]).sum(1)
            optimizer.zero_grad()
            share_of_total = losses * learned[:, rows] / total
            (share_of_total.sum() * (len(inputs) / len(rows))).backward()
            optimizer.step()
            schedule.step()
        best.consider(start, lost)
    if keep_best and held_out.any():
        with torch.no_grad():
            batches = torch.arange(len(inputs), device=device).split(LARGEST_BATCH)
            lost = sum((losses_of(rows, 1) * held[:, rows]).sum(1) for rows in batches)
        best.consider(_copies(members), lost)
        best.restore()
    return members.cpu().eval().requires_grad_(False)


class Best:
    """The weights of each member, among those considered, with which its held-out rows lost least.

    Weights are considered at the start of each epoch, by the losses met in it, and at the end.
    """

    def __init__(self, members):
        self._weights = list(members.parameters())
        self._best = _copies(members)
        self._least = torch.full((members.n_members,), torch.inf, device=self._best[0].device)

    def consider(self, weights, lost):
        improved = lost < self._least
        self._least = lost.where(improved, self._least)
        for best, new in zip(self._best, weights, strict=True):
            best.copy_(new.where(improved.view(-1, *[1] * (best.ndim - 1)), best))

    @torch.no_grad()
    def restore(self):
        for weight, best in zip(self._weights, self._best, strict=True):
            weight.copy_(best)


def check_device(device):
    """Return the name of the device to train on, "cpu" for None, or refuse."""
    n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    try:
        asked = torch.device("cpu" if device is None else device)
    except RuntimeError:
        asked = None
    if asked is not None and (
        asked.type == "cpu" or (asked.type == "cuda" and (asked.index or 0) < n_cuda)
    ):
        return str(device or "cpu")
    cuda = ", ".join(f"'cuda:{i}'" for i in range(n_cuda)) or (
        "no 'cuda' (torch finds no CUDA device)"
    )
    raise InvalidInputError(
        f"device={device!r} cannot be used; available are None, 'cpu' and {cuda}. "
        "Leave device=None to train on the CPU."
    )


def _copies(members):
    return [weight.detach().clone() for weight in members.parameters()]


def _outputs(members, inputs):
    codes = members.encoder(inputs)
    return members.decoder(codes), members.head(codes)


def _step_size(step, n_steps):
    """Share of the largest: up along a line, then down along half a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / n_steps))
    return min(1, (step + 1) / WARMUP) * cosine
