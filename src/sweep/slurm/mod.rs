//! A sweep on a Slurm cluster: an array of workers that each carry out the same sweep and take what is free, and a job that makes the
//! tables once they are done.
//!
//! Slurm schedules; nothing here waits or watches. A worker that is told to stop writes a checkpoint first. Before a time limit its script
//! puts it back into the queue; after preemption and requeue Slurm does, and one that is cancelled is gone. How many workers there are does not depend on the number of runs, so limits of
//! arrays don't matter. No run is done twice: its lock and its lease keep workers apart, on whatever machines they are.
//!
//! | file | holds |
//! |---|---|
//! | `script` | the two batch scripts |
//! | `site` | what the cluster says of itself, and `sbatch` |

mod script;
mod site;

pub use script::Batch;
pub use site::{Site, sbatch};
