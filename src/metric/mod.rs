//! Metrics of anomaly detection: ROC, PRO, average precision, F1max. Exact and pure; the protocol is that of docs/method.md.
