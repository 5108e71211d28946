"""Reference values of src/num, by scipy: writes tests/golden/statistics.json.

Run: python tests/oracle/statistics.py   (numpy, scipy)
"""

import json
import pathlib

import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(7)


def sign_flip(differences):
    """The exact two-sided test of the mean: all sign patterns are enumerated (n_resamples = inf)."""
    statistic = lambda d, axis: np.abs(np.mean(d, axis=axis))
    result = stats.permutation_test(
        (differences,), statistic, permutation_type="samples", vectorized=True, n_resamples=np.inf, alternative="greater"
    )
    return float(result.pvalue)


def bca(values):
    result = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=100_000, confidence_level=0.95, rng=1)
    return [float(result.confidence_interval.low), float(result.confidence_interval.high)]


cases = [
    np.array([0.009, 0.004, -0.001, 0.012, 0.003, 0.007]),
    np.array([1.0, 1.0, 1.0, 1.0, -1.0]),
    np.array([0.1, 0.2, 0.3, 0.0, 0.0, -0.1]),
    np.round(rng.normal(0.3, 1.0, 9), 3),
    np.round(rng.normal(0.8, 1.0, 12), 3),
    np.round(rng.normal(0.0, 1.0, 15), 3),
    np.round(rng.exponential(1.0, 10) - 0.5, 1),
]
samples = [
    np.round(rng.normal(0.5, 1.0, 12), 4),
    np.round(rng.exponential(1.0, 20), 4),
    np.round(rng.exponential(1.0, 8) ** 2, 4),
    np.round(-rng.exponential(1.0, 45), 4),
]
x = [-12.0, -8.0, -5.0, -3.0, -2.8, -1.959963984540054, -1.0, -0.3, 0.0, 0.01, 0.7, 1.5, 2.0, 2.83, 4.0, 6.0]
p = [1e-200, 1e-15, 1e-6, 0.001, 0.025, 0.1, 0.3, 0.5, 0.50001, 0.8, 0.975, 0.9999, 1 - 1e-10]
golden = {
    "scipy": scipy.__version__,
    "normal_cdf": [[v, float(stats.norm.cdf(v))] for v in x],
    "normal_quantile": [[v, float(stats.norm.ppf(v))] for v in p],
    "sign_flip": [{"differences": d.tolist(), "p": sign_flip(d)} for d in cases],
    "bca": [{"values": v.tolist(), "interval": bca(v)} for v in samples],
}
path = pathlib.Path(__file__).parent.parent / "golden" / "statistics.json"
path.write_text(json.dumps(golden, indent=1) + "\n")
