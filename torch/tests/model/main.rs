//! The network and its modules against slow twins, their invariants, numpy, and published features.

mod calibration;
mod fusion;
mod golden;
mod network;
mod ptfem;
mod qco;
mod setup;
mod tem;
