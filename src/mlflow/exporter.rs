//! One round after another: what there is, and what the server lacks of it.

use std::collections::{BTreeMap, HashMap};

use super::access::Access;
use super::client::Client;
use super::content::{Content, digest};
use super::fault::Reply;
use super::group::Group;
use super::options::Options;
use super::run::{self, Parent};
use super::send::{self, Sent};
use super::server::Server;
use super::subject::{Subject, groups};
use crate::Result;
use crate::store::Store;

/// What was sent since the exporter began.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Experiments on the server: id by name.
    pub experiments: BTreeMap<String, String>,
    /// By the key of each run: whether it is a sweep, and whether anything was lacking.
    seen: BTreeMap<String, (bool, bool)>,
    pub points: usize,
    pub params: usize,
    pub files: usize,
    pub bytes: u64,
    /// Where artifacts lie that the server does not take.
    pub elsewhere: Option<String>,
}

/// How things stood in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Whether nothing more will come.
    pub is_over: bool,
    /// Planned runs that have not begun.
    pub waiting: usize,
}

/// Sends subjects to a server.
pub struct Exporter<'a> {
    server: Server,
    store: &'a Store,
    subjects: &'a [Subject],
    options: Options,
    /// What was sent already, by key: a digest of it, and its id there.
    known: HashMap<String, (String, String)>,
    pub counts: Counts,
}

impl<'a> Exporter<'a> {
    /// Nothing is asked or read yet.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn new(access: Access, store: &'a Store, subjects: &'a [Subject], options: Options) -> Result<Self> {
        let server = Server::new(Client::new(access)?);
        Ok(Self { server, store, subjects, options, known: HashMap::new(), counts: Counts::default() })
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Sends what is new; `told` is told how many of all runs are done.
    ///
    /// # Errors
    /// A server that does not answer or refuses something; files that cannot be read. What was sent until then stays.
    pub fn round(&mut self, told: &mut dyn FnMut(usize, usize)) -> Reply<Round> {
        let groups = groups(self.subjects, self.store, &self.options)?;
        let total = groups.iter().map(|group| group.members.len() + usize::from(group.parent.is_some())).sum();
        let mut done = 0;
        let mut tell = || {
            done += 1;
            told(done, total);
        };
        let sent = groups.iter().try_for_each(|group| self.group(group, &mut tell));
        if sent.is_err() {
            // Who knows what it has when it is there again.
            self.known.clear();
        }
        sent.map(|()| Round { is_over: groups.iter().all(|group| group.is_over), waiting: groups.iter().map(|group| group.waiting).sum() })
    }

    fn group(&mut self, group: &Group, tell: &mut dyn FnMut()) -> Reply<()> {
        if group.parent.is_none() && group.members.is_empty() {
            return Ok(());
        }
        let experiment = self.server.experiment(&group.experiment)?;
        self.counts.experiments.insert(group.experiment.clone(), experiment.clone());
        let parent = match &group.parent {
            None => None,
            Some(content) => {
                let id = self.one(&experiment, content, true)?;
                tell();
                Some((content, id))
            }
        };
        let parent = parent.as_ref().map(|(content, id)| Parent { key: &content.key, id, name: &content.name });
        for member in &group.members {
            if let Some(content) = run::content(member, parent, &group.varied, &self.options)? {
                self.one(&experiment, &content, false)?;
            }
            tell();
        }
        Ok(())
    }

    /// Sends one run unless the last round sent the same; its id there.
    fn one(&mut self, experiment: &str, content: &Content, is_sweep: bool) -> Reply<String> {
        let own = digest(content);
        if let Some((_, id)) = self.known.get(&content.key).filter(|(known, _)| *known == own) {
            return Ok(id.clone());
        }
        let sent = send::send(&self.server, experiment, content)?;
        self.known.insert(content.key.clone(), (own, sent.run.clone()));
        self.counts.add(&content.key, is_sweep, &sent);
        Ok(sent.run)
    }
}

impl Counts {
    fn add(&mut self, key: &str, is_sweep: bool, sent: &Sent) {
        let seen = self.seen.entry(key.to_owned()).or_insert((is_sweep, false));
        seen.1 |= sent.changed;
        self.points += sent.points;
        self.params += sent.params;
        self.files += sent.files;
        self.bytes += sent.bytes;
        if let Some(place) = &sent.elsewhere {
            self.elsewhere = Some(place.clone());
        }
    }

    fn count(&self, wanted: impl Fn(bool, bool) -> bool) -> usize {
        self.seen.values().filter(|(is_sweep, changed)| wanted(*is_sweep, *changed)).count()
    }

    pub fn runs(&self) -> usize {
        self.count(|is_sweep, _| !is_sweep)
    }

    pub fn sweeps(&self) -> usize {
        self.count(|is_sweep, _| is_sweep)
    }

    /// Runs and sweeps of which the server had everything.
    pub fn unchanged(&self) -> usize {
        self.count(|_, changed| !changed)
    }
}
