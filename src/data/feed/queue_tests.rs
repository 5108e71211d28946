use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use super::*;

type Numbers = Queue<usize, Vec<usize>>;

/// Groups of three positions, made by `make` and joined to a list.
fn start(groups: usize, workers: usize, depth: usize, make: impl Fn(usize) -> Result<usize> + Send + Sync + 'static) -> Numbers {
    let groups = (0..groups).map(|g| 3 * g..3 * g + 3).collect();
    Queue::start(Work { groups, make: Box::new(make), join: Box::new(|_, items| items) }, workers, depth)
}

fn drain(mut queue: Numbers) -> (Vec<usize>, Option<Error>) {
    let mut all = Vec::new();
    while let Some(group) = queue.next() {
        match group {
            Ok(items) => all.extend(items),
            Err(error) => {
                assert!(queue.next().is_none(), "an error ends the stream");
                return (all, Some(error));
            }
        }
    }
    (all, None)
}

/// Later positions are often ready first.
fn unsteady(position: usize) {
    std::thread::sleep(Duration::from_micros([900, 0, 300, 0, 0][position % 5]));
}

#[test]
fn groups_come_in_order_whatever_the_threads_and_the_depth() {
    for workers in [1, 2, 5, 40] {
        for depth in [1, 3] {
            let queue = start(9, workers, depth, |p| {
                unsteady(p);
                Ok(p * p)
            });
            assert_eq!(drain(queue), ((0..27).map(|p| p * p).collect(), None));
        }
    }
}

#[test]
fn no_more_than_depth_groups_are_begun_ahead_of_the_receiver() {
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = begun.clone();
    let mut queue = start(20, 4, 2, move |p| {
        counter.fetch_max(p + 1, SeqCst);
        Ok(p)
    });
    for taken in 0..20 {
        std::thread::sleep(Duration::from_millis(1));
        assert!(begun.load(SeqCst) <= 3 * (taken + 2), "after {taken} groups, {} positions were begun", begun.load(SeqCst));
        queue.next().unwrap().unwrap();
    }
}

#[test]
fn the_lowest_failed_position_is_reported_after_all_groups_before_it() {
    for workers in [1, 2, 5] {
        let queue = start(9, workers, 4, |p| {
            unsteady(p);
            // Position 13 is slower than 14.
            if p == 13 {
                std::thread::sleep(Duration::from_millis(2));
            }
            if p >= 13 { Err(Error::run(format!("no {p}"), "")) } else { Ok(p) }
        });
        assert_eq!(drain(queue), ((0..12).collect(), Some(Error::run("no 13", ""))));
    }
}

#[test]
fn a_panic_in_a_thread_becomes_an_error() {
    let (before, error) = drain(start(5, 2, 3, |p| if p == 7 { panic!("position {p}") } else { Ok(p) }));
    assert_eq!(before, (0..6).collect::<Vec<_>>());
    assert!(error.unwrap().what.contains("position 7"));

    let join = Box::new(|range: Range<usize>, items| if range.start == 3 { panic!("at {range:?}") } else { items });
    let (before, error) = drain(Queue::start(Work { groups: vec![0..3, 3..6], make: Box::new(Ok), join }, 2, 3));
    assert_eq!(before, [0, 1, 2]);
    assert!(error.unwrap().what.contains("at 3..6"));
}

#[test]
fn dropping_the_queue_ends_its_threads_promptly() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let mut queue = start(100_000, 3, 4, move |p| {
        std::thread::sleep(Duration::from_millis(1));
        counter.fetch_add(1, SeqCst);
        Ok(p)
    });
    queue.next().unwrap().unwrap();
    drop(queue);
    let (seen, holders) = (made.load(SeqCst), Arc::strong_count(&made));
    assert!(seen <= 15 && holders == 1, "{seen} positions were made, {} threads live", holders - 1);
}

#[test]
fn nothing_to_do_is_the_end_at_once() {
    assert_eq!(drain(start(0, 2, 2, Ok)), (vec![], None));
}
