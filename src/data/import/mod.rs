//! Published data sets in layouts of their own, as lists that `data.list` reads. Nothing is copied or changed.
//!
//! | kind | layout | what is made of it |
//! |---|---|---|
//! | `visa` | `<c>/Data/Images/…`, `split_csv/1cls.csv` | its own split; masks hold numbers of kinds |
//! | `btad` | `<c>/{train/ok, test/{ok,ko}, ground_truth/ko}` | as it is |
//! | `mpdd` | MVTec AD's | as it is |
//! | `mvtec2` | `<c>/{train/good, validation/good, test_public/{good,bad,ground_truth/bad}}` | the private test sets have no labels and are left out |
//! | `loco` | MVTec AD's with `validation/good` and `ground_truth/<defect>/<stem>/*.png` | several masks are united; sPRO is not computed |
//! | `kolektor` | `kos<n>/Part<n>.jpg`, `Part<n>_label.bmp` | an image with a mask that marks something is defective; the good ones of every third folder are tested |
//! | `kolektor2` | `{train,test}/<n>.png`, `<n>_GT.png` | the same; defective training images are left out |
//! | `dagm` | `Class<n>/{Train,Test}/<n>.PNG`, `Label/<n>_label.PNG` | an image with a label is defective; defective training images are left out |
//! | `realiad` | `realiad_jsons/**/<c>.json`, `realiad_<size>/<c>/…` | its own split |
//! | `folder` | MVTec AD's with other names; or `ROOT/{good,<defect>…}` | without a folder for training, every fifth good image is tested |

mod entry;
mod json;
mod kind;
mod pairs;
mod table;
mod tree;

pub use entry::{Entry, write};
pub use kind::Kind;
pub use tree::Names;
