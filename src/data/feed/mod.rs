//! From images to batches: [`plan`] says which items an epoch visits and in which order, [`Views`] what is made of each,
//! [`Recipe`] makes it, [`queue`] spreads that over threads, and [`Loader`] hands the batches out.

pub mod loader;
pub mod plan;
pub mod queue;
mod recipe;
mod views;

pub use loader::{Batch, Loader};
pub use plan::{Epoch, Plan, Shape};
pub use recipe::Recipe;
pub use views::Views;
