//! Runs as child processes of this machine: one slot each, with a device of its own or a share of one.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use super::child::{Child, ChildLine};
use super::{Backend, Ended, Handle, LaunchSpec, Started, Update};
use crate::Result;

/// The slots of this machine.
pub struct Local {
    slots: Vec<Slot>,
    /// Number of the next child.
    next: u64,
    sender: Sender<ChildLine>,
    lines: Receiver<ChildLine>,
}

struct Slot {
    /// `cpu` or `cuda:N`.
    device: String,
    child: Option<(Handle, Child)>,
}

impl Local {
    /// As many runs at once as `devices` has entries.
    pub fn new(devices: Vec<String>) -> Self {
        let (sender, lines) = mpsc::channel();
        let slots = devices.into_iter().map(|device| Slot { device, child: None }).collect();
        Self { slots, next: 0, sender, lines }
    }

    /// Takes in one line of a child, or its silence.
    fn on_line(&mut self, (handle, line): ChildLine, updates: &mut Vec<(Handle, Update)>) {
        let mut children = self.slots.iter_mut().filter_map(|slot| slot.child.as_mut());
        if let Some((_, child)) = children.find(|(known, _)| *known == handle)
            && let Some(message) = child.on_line(line.as_deref())
        {
            updates.push((handle, Update::Message(message)));
        }
    }

    /// Takes the children that ended out of their slots.
    fn reap(&mut self, updates: &mut Vec<(Handle, Update)>) {
        for slot in &mut self.slots {
            let how = slot.child.as_mut().and_then(|(_, child)| child.ended());
            if let Some(how) = how
                && let Some((handle, child)) = slot.child.take()
            {
                updates.push((handle, Update::Ended(Ended { how, error: child.error(), output: child.last_output() })));
            }
        }
    }
}

impl Backend for Local {
    fn free(&self) -> usize {
        self.slots.iter().filter(|slot| slot.child.is_none()).count()
    }

    fn start(&mut self, spec: &LaunchSpec) -> Result<Started> {
        let handle = Handle(self.next);
        self.next += 1;
        let slot = self.slots.iter_mut().find(|slot| slot.child.is_none()).expect("the caller asked whether a slot is free");
        let child = Child::start(spec, &slot.device, handle, &self.sender)?;
        let started = Started { handle, pid: child.pid(), device: slot.device.clone() };
        slot.child = Some((handle, child));
        Ok(started)
    }

    fn poll(&mut self, patience: Duration) -> Result<Vec<(Handle, Update)>> {
        let mut updates = vec![];
        if let Ok(line) = self.lines.recv_timeout(patience) {
            self.on_line(line, &mut updates);
            while let Ok(line) = self.lines.try_recv() {
                self.on_line(line, &mut updates);
            }
        }
        self.reap(&mut updates);
        Ok(updates)
    }

    fn stop(&mut self) {
        self.slots.iter_mut().filter_map(|slot| slot.child.as_mut()).for_each(|(_, child)| child.stop());
    }
}
