use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Weak;

use anyhow::bail;
use tch::{Kind, Tensor};

use super::*;

/// The numbers below a length; one of them may fail.
struct Numbers {
    len: usize,
    fails: Option<usize>,
    alive: Arc<()>,
}

impl Dataset for Numbers {
    type Sample = Tensor;

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> Result<Tensor> {
        assert!(Arc::strong_count(&self.alive) > 0);
        match self.fails {
            Some(fails) if fails == index => bail!("sample {index} is damaged"),
            _ => Ok(Tensor::from(index as i64)),
        }
    }
}

fn numbers(len: usize) -> Numbers {
    Numbers { len, fails: None, alive: Arc::new(()) }
}

fn epoch(loader: &DataLoader<Numbers>) -> Vec<Vec<i64>> {
    loader.into_iter().map(|batch| Vec::<i64>::try_from(batch).expect("numbers")).collect()
}

#[test]
fn batches_come_in_order_with_a_smaller_last_one() {
    for prefetch in [0, 1, 3] {
        let loader = DataLoader::new(numbers(7), 3).prefetch(prefetch);
        assert_eq!(epoch(&loader), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        assert_eq!((loader.len(), loader.samples()), (3, 7));
        let loader = loader.drop_last();
        assert_eq!(epoch(&loader), [vec![0, 1, 2], vec![3, 4, 5]]);
        assert_eq!(loader.len(), 2);
    }
}

#[test]
fn a_loader_says_what_it_gives() {
    let loader = DataLoader::new(numbers(7), 3).shuffle(9);
    assert_eq!(
        format!("{loader:?}"),
        "DataLoader { batches: 3, samples: 7, batch_size: 3, shuffle: Some(9), drop_last: false, prefetch: 0, device: None, \
         next_epoch: 0 }"
    );
    let mut epoch = loader.iter();
    assert!(epoch.next().is_some());
    assert_eq!(format!("{epoch:?}"), "Epoch { left: 2, device: None, .. }");
    assert_eq!(format!("{:?}", loader.batches()), "Batches { left: 3, device: None, .. }");
    assert!(format!("{loader:?}").ends_with("next_epoch: 2 }"));
}

#[test]
fn an_epoch_knows_how_many_batches_are_left() {
    for prefetch in [0, 2] {
        let loader = DataLoader::new(numbers(7), 3).prefetch(prefetch);
        let mut epoch = loader.iter();
        for left in [3, 2, 1, 0, 0] {
            assert_eq!((epoch.len(), epoch.size_hint()), (left, (left, Some(left))));
            assert_eq!(epoch.next().is_some(), left > 0);
        }
        assert_eq!(loader.iter().take(2).enumerate().zip(0..9).size_hint(), (2, Some(2)));
        let mut damaged = DataLoader::new(Numbers { fails: Some(4), ..numbers(9) }, 3).prefetch(prefetch).batches();
        for (left, comes) in [((1, Some(3)), true), ((1, Some(2)), true), ((0, Some(0)), false)] {
            assert_eq!((damaged.size_hint(), damaged.next().is_some()), (left, comes));
        }
    }
}

#[test]
fn a_seed_repeats_the_orders_and_each_epoch_has_another() {
    let loaders = [0, 2].map(|prefetch| DataLoader::new(numbers(50), 8).shuffle(9).prefetch(prefetch));
    let [first, second] = loaders.each_ref().map(|loader| [epoch(loader), epoch(loader)]);
    assert_eq!(first, second);
    assert_ne!(first[0], first[1]);
    for epoch in first {
        let mut all = epoch.concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_is_changed_on_its_way() {
    for prefetch in [0, 2] {
        let loader = DataLoader::new(numbers(4), 2).prefetch(prefetch).map(|xs| xs * 10).map(|xs| xs + 1);
        assert_eq!(epoch(&loader), [vec![1, 11], vec![21, 31]]);
    }
}

#[test]
fn an_error_ends_the_epoch_and_says_why() {
    for prefetch in [0, 2] {
        let damaged = || Numbers { fails: Some(4), ..numbers(9) };
        let loader = DataLoader::new(damaged(), 3).prefetch(prefetch);
        let batches: Vec<_> = loader.batches().collect();
        assert_eq!(batches.len(), 2);
        assert_eq!(batches[1].as_ref().expect_err("an error").to_string(), "sample 4 is damaged");
        let panic = catch_unwind(AssertUnwindSafe(|| epoch(&loader))).expect_err("a panic");
        assert_eq!(panic.downcast_ref::<String>().expect("a text"), "DataLoader: sample 4 is damaged");
    }
}

#[test]
fn a_panic_while_reading_reaches_the_loop() {
    for prefetch in [0, 2] {
        let loader = DataLoader::new(numbers(9), 3).prefetch(prefetch).map(|xs| {
            assert!(xs.int64_value(&[0]) < 3, "no more of these");
            xs
        });
        let panic = catch_unwind(AssertUnwindSafe(|| epoch(&loader))).expect_err("a panic");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"no more of these"));
    }
}

#[test]
fn a_loop_that_is_left_early_ends_its_thread() {
    let numbers = numbers(1000);
    let alive: Weak<()> = Arc::downgrade(&numbers.alive);
    let loader = DataLoader::new(numbers, 1).prefetch(2);
    let mut epoch = loader.into_iter();
    assert!(epoch.next().is_some());
    drop(epoch);
    drop(loader);
    assert_eq!(alive.strong_count(), 0, "the thread still holds the data set");
}

#[test]
fn batches_are_given_on_the_device_that_is_asked_for() {
    let loader = DataLoader::new(crate::data::digits(), 1000).to_device(Device::Cpu);
    let sizes: Vec<_> = loader.into_iter().map(|(images, labels)| (images.size(), labels.kind())).collect();
    assert_eq!(sizes, [(vec![1000, 1, 8, 8], Kind::Int64), (vec![797, 1, 8, 8], Kind::Int64)]);
}
