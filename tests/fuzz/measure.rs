//! Time and memory of one input, and where an input is kept that shows a fault.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        took(size);
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` gives, and the most bytes that the program held meanwhile beyond those before. Inputs are read one after the other.
pub fn memory<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let result = work();
    (result, MOST.load(Ordering::Relaxed).saturating_sub(before))
}

/// What is being read, since when.
static CURRENT: Mutex<Option<(Instant, &str, Vec<u8>)>> = Mutex::new(None);

/// From now on an input that is being read for longer than `longest` ends the program, and is kept.
pub fn watch(longest: Duration) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let current = CURRENT.lock().unwrap();
            if let Some((_, name, input)) = current.as_ref().filter(|(since, ..)| since.elapsed() > longest) {
                println!("fault: {}: it does not end", keep(name, input).display());
                std::process::abort();
            }
        }
    });
}

/// Notes the input that is being read, or that none is.
pub fn reading(input: Option<(&'static str, &[u8])>) {
    *CURRENT.lock().unwrap() = input.map(|(name, input)| (Instant::now(), name, input.to_vec()));
}

/// Writes the input to `target/fuzz/<target>-<hash>`.
pub fn keep(name: &str, input: &[u8]) -> PathBuf {
    let folder = harness::testing::root().join("target/fuzz");
    let path = folder.join(format!("{name}-{}", &blake3::hash(input).to_hex()[..10]));
    let _ = std::fs::create_dir_all(&folder);
    let _ = std::fs::write(&path, input);
    path
}
