"""What lyapsk answers to comparison.py, feature by feature."""

import warnings

import numpy as np
import torch
from comparison_features import HENON, SINGULAR, close, driven_agrees, driven_layer, load, said
from spectrum import textbook
from torch import nn


class Lyapsk:
    """What this library says of itself."""

    name = "lyapsk"

    def __init__(self):
        self.package = load("lyapsk")
        self.modules = [self.package]

    def henon(self, n_steps, n_trajectories=1):
        starts = np.random.default_rng(0).uniform(0, 0.1, (n_trajectories, 2))
        return self.package.lyapunov_spectrum(
            lambda s: torch.stack([1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]]),
            initial_state=starts,
            n_steps=n_steps,
        ).exponents

    def elman(self, layers, X, warmup=0):
        if len(layers) == 1:
            spectra = [self.package.lyapunov_spectrum(layers[0], X, warmup=warmup, device="cpu")]
        else:
            transformer = self.package.LyapunovSpectrumTransformer(X, warmup=warmup, device="cpu")
            spectra = transformer.fit(layers).spectra(layers)
        return [spectrum.exponents for spectrum in spectra]

    def _net(self):
        from skorch import NeuralNetClassifier

        from lyapsk.tasks import SequenceNetwork

        X = np.random.default_rng(0).normal(size=(16, 20, 1)).astype("float32")
        y = np.arange(16) % 2
        module = SequenceNetwork("LSTM", hidden_size=4, n_outputs=2)
        return NeuralNetClassifier(module, max_epochs=1, verbose=0).fit(X, y), X, y

    def layers(self):
        net, X, _ = self._net()
        (layer,) = (m for m in net.module_.modules() if isinstance(m, nn.LSTM))
        return said(
            close(
                self.package.lyapunov_spectrum(net, X).exponents,
                textbook(layer, X.astype(float)),
                1e-6,
            )
        )

    def cell(self):
        layer, X = driven_layer(4, 2, 50, kind=nn.LSTM)
        found = self.package.lyapunov_spectrum(layer, X).exponents
        return said(len(found) == 8 and close(found, textbook(layer, X), 1e-6))

    def driven(self):
        return said(driven_agrees(self))

    def ragged(self):
        layer, X = driven_layer(4, 2, 50)
        both = self.package.lyapunov_spectrum(layer, [X[0], X[1, :30]]).per_sequence
        return said(close(np.sort(both[1])[::-1], textbook(layer, X[1:, :30]), 1e-6))

    def population(self):
        layers = [driven_layer(n, 1, 1)[0] for n in (3, 5)]
        X = driven_layer(3, 2, 50)[1]
        pairs = zip(self.elman(layers, X), layers, strict=True)
        return said(all(close(found, textbook(layer, X), 1e-6) for found, layer in pairs))

    def gpu(self):
        if not torch.cuda.is_available():
            return "has `device`, not run: no GPU here"
        layer, X = driven_layer(8, 2, 50)
        there, here = (
            self.package.lyapunov_spectrum(layer, X, device=device).exponents
            for device in ("cuda", "cpu")
        )
        return said(close(there, here, 1e-6))

    def errors(self):
        layer, X = driven_layer(4, 8, 50)
        errors = self.package.lyapunov_spectrum(layer, X).standard_error
        return said(np.isfinite(errors).all() and (errors > 0).all())

    def running(self):
        layer, X = driven_layer(4, 1, 50)
        spectrum = self.package.lyapunov_spectrum(layer, X, keep=("growth",))
        return said(close(spectrum.finite_time_exponents()[0, -1], spectrum.exponents, 1e-9))

    def dead(self):
        A = torch.as_tensor(SINGULAR)
        found = self.package.lyapunov_spectrum(lambda s: A @ s, initial_state=np.ones(4), n_steps=9)
        return said(found.exponents[-1] == -np.inf, f"no: {found.exponents[-1]:.0f}")

    def leading(self):
        layer, X = driven_layer(16, 2, 50)
        two = self.package.lyapunov_spectrum(layer, X, n_exponents=2).exponents
        return said(close(two, textbook(layer, X)[:2], 1e-6))

    def jacobian(self):
        return self.maps()

    def gradient(self):
        return said(self.package.frame_gradient(*self._net()).error < 1e-4)

    def estimator(self):
        from sklearn.utils.estimator_checks import check_estimator

        lyapsk = self.package
        estimators = [
            lyapsk.SpectrumStatistics(),
            lyapsk.AeLLERegressor(max_epochs=5),
            lyapsk.AeLLEClassifier(max_epochs=5),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checks = [check for own in estimators for check in check_estimator(own)]
        return said(not any(check["status"] in ("failed", "xfail") for check in checks))

    def maps(self):
        return said(close(self.henon(300, 30).sum(), HENON[1], 1e-9))
