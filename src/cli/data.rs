//! `harness data …`: looking at data before trusting it.

use std::path::PathBuf;

use super::{data_check, data_pseudo, data_show};
use crate::config::Profile;
use crate::data::{self, builtin};
use crate::image::{codec, resize};
use crate::{Error, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Counts, sizes and everything that would spoil a result; exit code 3 if something would
    Check(data_check::Args),
    /// Contact sheet of a folder with its masks outlined
    Show(data_show::Args),
    /// Gallery of pseudo anomalies as an experiment would draw them, with their ratio, area and contrast
    Pseudo(PseudoArgs),
    /// Write the built-in procedural set, or say where it is
    Builtin {
        /// Folder to write it to
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct PseudoArgs {
    /// An experiment file (TOML) and any number of key=value overrides
    #[arg(value_name = "FILE | KEY=VALUE")]
    words: Vec<String>,
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// Pictures to draw
    #[arg(long, default_value_t = 12)]
    count: usize,
    /// The PNG to write
    #[arg(long, value_name = "FILE", default_value = "pseudo.png")]
    out: PathBuf,
}

pub fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::Check(args) => data_check::run(args),
        Verb::Show(args) => data_show::run(args),
        Verb::Pseudo(args) => pseudo(args),
        Verb::Builtin { out } => {
            let root = out.clone().unwrap_or_else(data::root::builtin_folder);
            builtin::ensure(&root)?;
            println!("{}", root.display());
            Ok(())
        }
    }
}

fn pseudo(args: &PseudoArgs) -> Result<()> {
    let resolved = super::run::split(&args.words, args.profile).resolve()?;
    let cfg = &resolved.config;
    let root = data::root::resolve(&cfg.data)?;
    let names = data::select(&data::open(&root)?, &cfg.data.categories)?;
    let name = names.first().ok_or_else(|| Error::environment(format!("{}: no category", root.display()), "check data.root"))?;
    let category = data::category(&root, name)?;
    let images = category.train.iter().take(args.count).map(|item| {
        let image = codec::decode(&item.path)?;
        Ok((item.key.clone(), resize::resize(&image, cfg.data.size, cfg.data.resize)))
    });
    let images = images.collect::<Result<Vec<_>>>()?;
    let seed = cfg.run.seeds.first().copied().unwrap_or(0);
    let (sheet, stats) = data_pseudo::gallery(&images, &cfg.pseudo, seed, args.count);
    codec::write_png(&args.out, &sheet)?;
    println!("profile {} · {} · category {name} · seed {seed}", resolved.profile, root.display());
    print!("{stats}");
    println!("gallery: {}", args.out.display());
    Ok(())
}
