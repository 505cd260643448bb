"""What other packages answer to comparison.py: a class for each, imported when it is made."""

import warnings

import numpy as np
from comparison_features import (
    HENON,
    LORENZ,
    SINGULAR,
    close,
    driven_agrees,
    elman_arrays,
    load,
    said,
)
from scipy.special import lambertw


class Pynamicalsys:
    """Maps and differential equations, compiled by numba."""

    name = "pynamicalsys"

    def __init__(self):
        self.package = load(self.name)
        self.modules = [self.package]
        if isinstance(self.package, str):
            return
        from numba import njit

        @njit
        def henon(u, p):
            return np.array([1 - p[0] * u[0] ** 2 + u[1], p[1] * u[0]])

        @njit
        def henon_jacobian(u, p, *_):
            return np.array([[-2 * p[0] * u[0], 1.0], [p[1], 0.0]])

        @njit
        def elman(u, p):
            n, t = len(u) - 1, int(u[-1])
            out = np.zeros(n + 1)
            out[n] = t + 1
            if t >= 0:
                drive = p[n * n + t * n : n * n + (t + 1) * n]
                out[:n] = np.tanh(p[: n * n].copy().reshape(n, n) @ u[:n].copy() + drive)
            return out

        @njit
        def elman_jacobian(u, p, *_):
            n, t = len(u) - 1, int(u[-1])
            W = p[: n * n].copy().reshape(n, n)
            drive = p[n * n + t * n : n * n + (t + 1) * n]
            h = np.tanh(W @ u[:n].copy() + drive)
            J = np.zeros((n + 1, n + 1))
            J[:n, :n] = (1 - h * h).reshape(-1, 1) * W
            J[n, n] = 1
            return J

        @njit
        def linear(u, p):
            return p.reshape(len(u), len(u)) @ u

        @njit
        def linear_jacobian(u, p, *_):
            return p.reshape(len(u), len(u))

        self._henon = henon, henon_jacobian
        self._elman, self._linear = (elman, elman_jacobian), (linear, linear_jacobian)

    def _map(self, functions, n, parameters):
        return self.package.DiscreteDynamicalSystem(
            mapping=functions[0],
            jacobian=functions[1],
            system_dimension=n,
            parameters=parameters,
        )

    def henon(self, n_steps, method="ER", **options):
        system = self._map(self._henon, 2, [1.4, 0.3])
        return system.lyapunov([0.1, 0.1], n_steps, method=method, **options)

    def elman(self, layers, X, warmup=0):
        """The last component of the state counts the steps; its exponent of 0 is taken out.

        "QR_HH" is the faster of its methods from some 16 units on.
        """
        found = []
        for layer in layers:
            n, spectra = layer.hidden_size, []
            for sequence in X:
                W, drive = elman_arrays(layer, sequence)
                system = self._map(self._elman, n + 1, np.concatenate([W.ravel(), drive.ravel()]))
                start = np.append(np.zeros(n), -1.0)
                values = system.lyapunov(
                    start, len(sequence), method="QR_HH", transient_time=warmup
                )
                clock = int(np.abs(values).argmin())
                spectra.append(np.sort(np.delete(values, clock))[::-1])
            found.append(np.mean(spectra, 0))
        return found

    def driven(self):
        return said(driven_agrees(self), "no") + ", if the state counts the steps"

    def running(self):
        history = self.henon(100, return_history=True)
        return said(close(history[-1], self.henon(100), 1e-9))

    def dead(self):
        system = self._map(self._linear, 4, SINGULAR.ravel())
        least = {m: system.lyapunov(np.ones(4), 9, method=m)[-1] for m in ("QR", "QR_HH")}
        if least["QR"] == least["QR_HH"]:
            return said(least["QR"] == -np.inf)
        return f"QR: {least['QR']:.0f}, QR_HH: {least['QR_HH']:.0f}"

    def leading(self):
        return said(close(self.henon(1000, num_exponents=1), self.henon(1000)[0], 0.02))

    def jacobian(self):
        found = self._map((self._henon[0], None), 2, [1.4, 0.3]).lyapunov([0.1, 0.1], 1000)
        return said(close(found.sum(), HENON[1], 1e-4))

    def maps(self):
        return said(close(self.henon(1000).sum(), HENON[1], 1e-9))

    def odes(self):
        system = self.package.ContinuousDynamicalSystem(model="lorenz system")
        options = {"parameters": [10, 28, 8 / 3], "transient_time": 20.0}
        return said(close(system.lyapunov([1.0, 1.0, 1.0], 300.0, **options)[0], LORENZ, 0.05))

    def hamiltonian(self):
        system = self.package.HamiltonianSystem(model="henon heiles")
        return said(close(system.lyapunov([0.0, 0.1], [0.5, 0.0], 300.0).sum(), 0, 1e-6))

    def vectors(self):
        vectors, _ = self.package.DiscreteDynamicalSystem(model="standard map").CLV(
            [0.1, 0.1], 100, parameters=[1.5]
        )
        return said(vectors.shape[1:] == (2, 2))

    def indicators(self):
        system = self.package.DiscreteDynamicalSystem(model="standard map")
        return said(close(system.SALI([0.1, 0.1], 100, parameters=[1.5]), 0, 1e-3))


class Lyapynov:
    """Maps and differential equations in numpy; the step is told the time."""

    name = "lyapynov"

    def __init__(self):
        self.package = load(self.name)
        self.modules = [self.package]

    def _exponents(self, step, jacobian, start, n_steps, k=None, warmup=0, keep=False):
        system = self.package.DiscreteDS(start, 0, step, jacobian)
        with np.errstate(divide="ignore"):
            return self.package.LCE(system, k or len(start), warmup, n_steps, keep)

    def henon(self, n_steps, **options):
        return self._exponents(
            lambda u, _: np.array([1 - 1.4 * u[0] ** 2 + u[1], 0.3 * u[0]]),
            lambda u, _: np.array([[-2.8 * u[0], 1.0], [0.3, 0.0]]),
            np.array([0.1, 0.1]),
            n_steps,
            **options,
        )

    def elman(self, layers, X, warmup=0):
        found = []
        for layer in layers:
            spectra = []
            for sequence in X:
                W, drive = elman_arrays(layer, sequence)

                def step(h, t, W=W, drive=drive):
                    return np.tanh(W @ h + drive[t])

                def jacobian(h, t, W=W, drive=drive):
                    return (1 - np.tanh(W @ h + drive[t]) ** 2)[:, None] * W

                start, n_steps = np.zeros(layer.hidden_size), len(sequence) - warmup
                values = self._exponents(step, jacobian, start, n_steps, warmup=warmup)
                spectra.append(np.sort(values)[::-1])
            found.append(np.mean(spectra, 0))
        return found

    def driven(self):
        return said(driven_agrees(self))

    def running(self):
        exponents, history = self.henon(100, keep=True)
        return said(close(history[-1], exponents, 1e-9))

    def dead(self):
        step, jacobian = (lambda u, _: SINGULAR @ u), (lambda u, _: SINGULAR)
        least = self._exponents(step, jacobian, np.ones(4), 9)[-1]
        return said(least == -np.inf, f"no: {least:.0f}")

    def leading(self):
        return said(close(self.henon(1000, k=1), self.henon(1000)[0], 1e-9))

    def maps(self):
        return said(close(self.henon(1000).sum(), HENON[1], 1e-9))

    def _lorenz(self):
        def flow(u, _):
            x, y, z = u
            return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

        def jacobian(u, _):
            x, y, z = u
            return np.array([[-10, 10, 0], [28 - z, -1, -x], [y, x, -8 / 3]])

        return self.package.ContinuousDS(np.ones(3), 0.0, flow, jacobian, 0.01)

    def odes(self):
        return said(close(self.package.LCE(self._lorenz(), 3, 2000, 28000, False)[0], LORENZ, 0.05))

    def vectors(self):
        found = self.package.CLV(self._lorenz(), 3, 0, 100, 100, 100, False)
        return said(np.shape(found)[1:] == (3, 3))


class Jitcode:
    """Differential equations, with and without delays, compiled from their formulas."""

    name = "jitcode, jitcdde"

    def __init__(self):
        self.modules = [load("jitcode"), load("jitcdde")]
        self.package = next((m for m in self.modules if isinstance(m, str)), self.modules[0])

    def odes(self):
        y = self.modules[0].y
        flow = [
            10 * (y(1) - y(0)),
            y(0) * (28 - y(2)) - y(1),
            y(0) * y(1) - 8 / 3 * y(2),
        ]
        system = self.modules[0].jitcode_lyap(flow, n_lyap=1, verbose=False)
        system.set_integrator("dopri5")
        system.set_initial_value(np.ones(3), 0.0)
        growth = [system.integrate(time)[1] for time in np.arange(1, 301.0)]
        return said(close(np.mean(growth[20:]), LORENZ, 0.05))

    def delays(self):
        """Of ``y'(t) = -y(t - 1)``, whose exponent is the real part of Lambert's W at -1."""
        y, t = self.modules[1].y, self.modules[1].t
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            system = self.modules[1].jitcdde_lyap([-y(0, t - 1)], n_lyap=1, verbose=False)
            system.constant_past([1.0])
            system.step_on_discontinuities()
            steps = [system.integrate(time) for time in np.arange(system.t, system.t + 100, 0.5)]
        _, growth, weights = zip(*steps[20:], strict=True)
        expected = lambertw(-1).real
        return said(close(np.average(np.ravel(growth), weights=weights), expected, 0.02))


def series_estimators():
    """Estimators of the leading exponent from a series of numbers, of what is installed."""
    nolds, neurokit2, found = load("nolds"), load("neurokit2"), {}
    if not isinstance(nolds, str):
        found["nolds `lyap_r`"] = nolds.lyap_r
        found["nolds `lyap_e`"] = lambda x: max(nolds.lyap_e(x))
    if not isinstance(neurokit2, str):
        estimate = neurokit2.complexity_lyapunov
        found["neurokit2 `rosenstein1993`"] = lambda x: estimate(x, method="rosenstein1993")[0]
        found["neurokit2 `makowski`"] = lambda x: estimate(x, method="makowski")[0]
    return found
