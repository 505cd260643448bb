"""
Study 1: the spectrum as a readout of training
==============================================

`On Lyapunov Exponents for RNNs <https://arxiv.org/abs/2006.14123>`_ (R. Vogt, M. Puelma Touzel,
E. Shlizerman and G. Lajoie) says that the Lyapunov spectrum is a robust readout of the stability
of training across hyper-parameters. R. Vogt's thesis (`hdl.handle.net/1773/50205
<https://hdl.handle.net/1773/50205>`_) adds that statistics of the spectrum have a moderate
correlation with the loss, and that they emerge early in training. Two more things are commonly
read from this work: that the spectrum is steadier than the weights, and that networks with
exponents near zero do best. This page asks all four of small networks on two tasks.

The words: change the state of a recurrent network a little, and go on reading. Along each
direction of the state the change is multiplied by ``exp(exponent)`` at each step, on average.
This number is a **Lyapunov exponent**, in nats per step. All of them together, sorted, are the
**spectrum**. Above zero a network is chaotic, far below zero it forgets at once. The
**half-width** ``p`` is the bound of the recurrent weights before training: they are drawn
uniformly from ``-p`` to ``p``.
"""

# %%
# Two populations
# ---------------
#
# Each task gets 48 networks: Elman, GRU and LSTM in turn, of 8 to 32 units, with a half-width
# between 0.03 and 2, and a seed of their own. They train for 12 epochs with one learning rate.
# To tell the next **character** of a text from a small grammar, it mostly suffices to know the
# last few. To carry on a sum of **four sines** after it fell silent, a network must remember its
# phase.

from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.plotting import SpectrumDisplay
from lyapsk.tasks import characters, four_sines, make_population

TASKS = {
    "characters": characters(n_train=384, n_valid=128, n_steps=30),
    "four sines": four_sines(n_train=384, n_valid=128, n_cue=15, n_free=20, period=20),
}
EPOCHS = (0, 1, 2, 4, 8, 12)
directory = TemporaryDirectory()


def train(task, n_networks, **recipe):
    return make_population(
        task,
        n_networks,
        max_epochs=EPOCHS[-1],
        checkpoints=EPOCHS,
        directory=directory.name,
        n_jobs=2,
        verbose=0,
        **recipe,
    )


def spectra(population):
    """Features of the networks after each kept epoch, along four validation sequences."""
    transformer = LyapunovSpectrumTransformer(population.task.X_valid[:4])
    transformer.set_output(transform="pandas")
    return {epoch: transformer.fit_transform(population.nets(epoch)) for epoch in EPOCHS}


populations = {name: train(task, 48, hidden_sizes=(8, 32)) for name, task in TASKS.items()}
features = {name: spectra(population) for name, population in populations.items()}
log_loss = {name: np.log(population.final_loss) for name, population in populations.items()}
kinds = np.array([recipe.kind for recipe in populations["characters"].recipes])

# %%
# Spectra of trained networks
# ---------------------------
#
# Each line is one network after its last epoch. Yellow networks are the bad ones. In both tasks
# the spectra that start far above zero are among these. So far the readout works.

N_POINTS = 64  # of each spectrum, resampled so that networks of all sizes compare

figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for ax, name in zip(axes, TASKS, strict=True):
    SpectrumDisplay.from_predictions(
        list(features[name][12].to_numpy()[:, :N_POINTS]),
        values=log_loss[name],
        value_name="Log of the final validation loss",
        ax=ax,
    )
    ax.axhline(0, color="0.3", lw=0.8, ls=":")
    ax.set(title=f"Trained on {name}", ylim=(-6, 1))

# %%
# The largest exponent and the loss
# ---------------------------------
#
# The same networks, by their largest exponent alone, before and after training.

LOOKS = {
    "RNN": ("Elman", "#0072B2", "o"),
    "GRU": ("GRU", "#D55E00", "s"),
    "LSTM": ("LSTM", "#009E73", "^"),
}

figure, axes = plt.subplots(2, 2, figsize=(8, 5.4), sharey="row", layout="constrained")
for row, name in zip(axes, TASKS, strict=True):
    for ax, epoch in zip(row, (0, 12), strict=True):
        largest = features[name][epoch]["largest"]
        for kind, (label, colour, marker) in LOOKS.items():
            own = kinds == kind
            ax.scatter(
                largest[own],
                populations[name].final_loss[own],
                s=22,
                c=colour,
                marker=marker,
                label=label,
            )
        ax.axvline(0, color="0.3", lw=0.8, ls=":")
        when = "before training" if epoch == 0 else "after training"
        ax.set(title=f"{name}, {when}", yscale="log" if name == "four sines" else "linear")
        ax.set_xlabel("Largest exponent (nats per step)")
        ax.locator_params(axis="x", nbins=6)
    row[0].set_ylabel("Final validation loss" + (" (nats)" if name == "characters" else " (MSE)"))
_ = axes[0, 0].legend(fontsize="small")

# %%
# In numbers: Spearman's rank correlation of the final loss with the largest exponent, with its
# distance from zero, and with the mean exponent. Behind each is its standard error, from 200
# bootstrap samples of the networks. "Elman" is the same among Elman networks alone.

rng = np.random.default_rng(0)


def rank_correlation(a, b):
    """Spearman's, and its bootstrap error."""
    a, b = np.asarray(a), np.asarray(b)
    draws = rng.integers(len(a), size=(200, len(a)))
    error = np.std([spearmanr(a[draw], b[draw]).statistic for draw in draws])
    return spearmanr(a, b).statistic, error


def told(value, error):
    return f"{value:+.2f} ± {error:.2f}"


READINGS = {"largest": lambda f: f["largest"], "distance": lambda f: abs(f["largest"])}
READINGS["mean"] = lambda f: f["mean"]
correlations = {}
for name in TASKS:
    for who, own in (("all", np.full(48, True)), ("Elman", kinds == "RNN")):
        for epoch in (0, 12):
            table = features[name][epoch][own]
            for reading, read in READINGS.items():
                correlations[name, who, epoch, reading] = rank_correlation(
                    read(table), log_loss[name][own]
                )

print(f"{'rank correlation with the final loss':<37}" + "".join(f"{r:>14}" for r in READINGS))
for name in TASKS:
    for who in ("all", "Elman"):
        for epoch in (0, 12):
            cells = [told(*correlations[name, who, epoch, reading]) for reading in READINGS]
            row = f"{name}, {who}, epoch {epoch}"
            print(f"{row:<37}" + "".join(f"{cell:>14}" for cell in cells))

# %%
# And where the best quarter of the networks end up:

best = {name: np.argsort(log_loss[name])[:12] for name in TASKS}
best_largest = {name: features[name][12]["largest"].to_numpy()[best[name]] for name in TASKS}
for name, own in best_largest.items():
    low, middle, high = np.quantile(own, [0.25, 0.5, 0.75])
    print(
        f"{name}: median {middle:+.2f}, half of them from {low:+.2f} to {high:+.2f} nats per step"
    )

# %%
# How soon it settles
# -------------------
#
# Left: how far loss, spectrum and weights still are from where they end, as a share of where they
# started. Right: how well the networks' *order* at an epoch is their final order, by the largest
# exponent and by the loss itself. Bands are one standard error of the mean over networks, or of
# the rank correlation.


def distance_left(start, now, end):
    return np.linalg.norm(now - end, axis=-1) / np.linalg.norm(start - end, axis=-1)


def weights(network, epoch):
    return np.concatenate([array.ravel() for array in network.weights[epoch].values()])


def left(name):
    """Of the way to the end, (n_networks, n_epochs) for each quantity."""
    population = populations[name]
    states = [features[name][epoch].to_numpy()[:, :N_POINTS] for epoch in EPOCHS]
    vectors = [[weights(network, epoch) for epoch in EPOCHS] for network in population.networks]
    losses = population.losses[:, EPOCHS]
    return {
        "validation loss": (losses - losses[:, -1:]) / (losses[:, :1] - losses[:, -1:]),
        "spectrum": np.transpose([distance_left(states[0], s, states[-1]) for s in states]),
        "all weights": np.array([[distance_left(v[0], w, v[-1]) for w in v] for v in vectors]),
    }


def order(name):
    """Rank correlation of each epoch's values with the last, and its error."""
    largest = [features[name][epoch]["largest"] for epoch in EPOCHS]
    losses = populations[name].losses[:, EPOCHS].T
    return {
        "validation loss": [rank_correlation(now, losses[-1]) for now in losses],
        "spectrum": [rank_correlation(now, largest[-1]) for now in largest],
    }


lefts, orders = {name: left(name) for name in TASKS}, {name: order(name) for name in TASKS}
LINES = {
    "validation loss": ("#000000", "-"),
    "spectrum": ("#0072B2", "--"),
    "all weights": ("#D55E00", ":"),
}
figure, axes = plt.subplots(2, 2, figsize=(8, 5.4), sharex=True, layout="constrained")
for (way, rank), name in zip(axes, TASKS, strict=True):
    for what, values in lefts[name].items():
        curve, error = values.mean(0), values.std(0) / len(values) ** 0.5
        colour, style = LINES[what]
        way.plot(EPOCHS, curve, style, c=colour, marker="o", ms=3, label=what)
        way.fill_between(EPOCHS, curve - error, curve + error, color=colour, alpha=0.2, lw=0)
    for what, pairs in orders[name].items():
        curve, error = np.transpose(pairs)
        colour, style = LINES[what]
        label = "largest exponent" if what == "spectrum" else what
        rank.plot(EPOCHS, curve, style, c=colour, marker="o", ms=3, label=label)
        rank.fill_between(EPOCHS, curve - error, curve + error, color=colour, alpha=0.2, lw=0)
    way.set(title=f"{name}: way left", ylabel="Share of the way left")
    rank.set(title=f"{name}: order known", ylabel="Rank correlation with the end", ylim=(0, 1.05))
for ax in axes[-1]:
    ax.set_xlabel("Epochs of training")
for ax in axes[0]:
    ax.legend(fontsize="small")

# %%
# Steadier than the weights?
# --------------------------
#
# Six LSTMs of 24 units from one recipe, which differ by their seed alone, learn characters. The
# **difference** of two networks is the distance between them over the root mean square of their
# sizes: 0 for twins, 1.41 for independent draws of mean zero. Of course no two networks number
# their units alike. So there is a fair rival beside the spectrum: the sorted singular values of the
# recurrent matrices, which do not care for the numbering either.

twins = train(
    TASKS["characters"], 6, kinds=("LSTM",), hidden_sizes=24, half_widths=0.2, random_state=1
)
twin_spectra = spectra(twins)


def differences(rows):
    """Of all pairs, relative to their size."""
    pairs = [(a, b) for i, a in enumerate(rows) for b in rows[:i]]
    size = [np.sqrt((a @ a + b @ b) / 2) for a, b in pairs]
    return np.array([np.linalg.norm(a - b) / s for (a, b), s in zip(pairs, size, strict=True)])


def recurrent(network, epoch):
    return network.weights[epoch]["recurrent.weight_hh_l0"].astype(float)


def descriptions(epoch):
    matrices = [recurrent(network, epoch) for network in twins.networks]
    return {
        "recurrent weights": [matrix.ravel() for matrix in matrices],
        "their singular values": [np.linalg.svd(m, compute_uv=False) for m in matrices],
        "spectrum": list(twin_spectra[epoch].to_numpy()[:, :N_POINTS]),
    }


between = {e: {k: differences(v) for k, v in descriptions(e).items()} for e in (0, 12)}
print(f"{'difference, mean and':<25}\n{'spread over 15 pairs':<25}{'epoch 0':>16}{'epoch 12':>16}")
for what in between[0]:
    pairs = [between[epoch][what] for epoch in (0, 12)]
    cells = [f"{found.mean():.3f} ± {found.std():.3f}" for found in pairs]
    print(f"{what:<25}{cells[0]:>16}{cells[1]:>16}")


def moved(start, end):
    """What training changed, relative to the end."""
    return np.linalg.norm(start - end, axis=-1) / np.linalg.norm(end, axis=-1)


def movement(name):
    """Mean over the population, of spectrum and of weights, with errors."""
    first, last = (features[name][epoch].to_numpy()[:, :N_POINTS] for epoch in (0, 12))
    networks = populations[name].networks
    of_weights = [moved(weights(network, 0), weights(network, 12)) for network in networks]
    return [(np.mean(v), np.std(v) / len(v) ** 0.5) for v in (moved(first, last), of_weights)]


# %%
# Claims and numbers
# ------------------

rows = []
for name in TASKS:
    rho = told(*correlations[name, "all", 0, "largest"])
    elman = told(*correlations[name, "Elman", 0, "largest"])
    rows.append((f"statistics go with the loss ({name})", f"{rho}; Elman {elman}"))
for name in TASKS:
    rho = told(*correlations[name, "all", 12, "distance"])
    rows.append((f"near zero is best ({name})", f"{rho} with |largest|, wants > 0"))
for name in TASKS:
    exponent, loss = (told(*orders[name][what][0]) for what in ("spectrum", "validation loss"))
    rows.append((f"order known at epoch 0 ({name})", f"{exponent}; by the loss {loss}"))
for name in TASKS:
    spectrum, loss = (lefts[name][w][:, 3].mean() for w in ("spectrum", "validation loss"))
    rows.append((f"settles early ({name})", f"{spectrum:.0%} left at epoch 4; loss {loss:.0%}"))
for name in TASKS:
    spectrum, weight = movement(name)
    rows.append((f"training moves it less ({name})", f"{told(*spectrum)}; weights {told(*weight)}"))
same = between[12]
rows.append(
    (
        "seeds change it less than weights",
        f"{same['spectrum'].mean():.2f}; weights {same['recurrent weights'].mean():.2f}, "
        f"singular values {same['their singular values'].mean():.2f}",
    )
)
print(f"{'claim':<40} | here")
print("-" * 40 + "-+-" + "-" * 51)
for claim, here in rows:
    print(f"{claim:<40} | {here}")

directory.cleanup()

# %%
# What to make of it
# ------------------
#
# *Statistics go with the loss.* Yes for characters, most of all among Elman networks: the wider the
# initial weights, the larger the exponent, and the worse the network. On the four sines Elman
# networks show the same sign, with a large error, and among all networks the rank correlation is
# next to nothing. The figure says why: chaotic networks fail, and so do those that forget, so that
# good ones lie between. A rank correlation cannot see that.
#
# *Near zero is best.* It depends on the task. On the four sines the best networks end just below
# zero, and the distance from zero goes with the loss. On characters it is the other way round: the
# best networks forget within a few steps, which is all that this text asks for. Do not use
# "nearer to zero" as a score without asking how long your task must remember.
#
# *It emerges early.* The order of the networks by their largest exponent is mostly there before
# the first epoch. For characters it is there when the loss says little yet; for the four sines the
# two are too close to tell. The spectrum *itself* is not early in any sense: it has more of its
# way to go than the loss at every epoch, about as much as the weights or more. Twelve epochs are
# few, and most of these networks were still learning.
#
# *Steadier than the weights.* In relative terms training moves the spectrum less than the weights,
# and another seed hardly changes it, while it changes the weights altogether. But the second says
# mostly that a spectrum does not care how units are numbered: singular values do not either, and
# they are about as steady.
#
# The large setting
# -----------------
#
# Serious networks have hundreds of units and real data. On a machine with a GPU,
# ``task.net("LSTM", hidden_size=512, device="cuda")`` trains there, and the spectra are taken
# there too, by ``LyapunovSpectrumTransformer(sequences, device="cuda")``, or by themselves where a
# GPU is found. ``characters(path="book.txt")`` reads a text of yours. ``make_population`` trains on
# the processor, as many networks at a time as ``n_jobs`` says: take ``hidden_sizes=(64, 512)`` and
# a few hundred networks, and name a directory that stays. ``python benchmarks/prediction.py``
# runs six tasks with 150 networks each, with one learning rate and with many.
