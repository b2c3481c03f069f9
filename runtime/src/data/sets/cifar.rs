//! CIFAR-10 and CIFAR-100: 60,000 color images of 32 by 32 pixels in 10 or 100 classes, downloaded at first use.
//!
//! The archives are the binary versions of <https://www.cs.toronto.edu/~kriz/cifar.html>: records of the label
//! (CIFAR-100: a coarse and a fine one) and 3,072 bytes of red, green and blue planes. What is kept and how to do
//! without a network: [`Source::path`]. A. Krizhevsky, Learning multiple layers of features from tiny images, 2009.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use tch::{Kind, Tensor};

use crate::checkpoint::checkpoint;
use crate::data::download::Cache;
use crate::data::files::packed;
use crate::data::files::to_unit_range;
use crate::data::{DatasetError, LabelledImages, Source, Split};
use crate::support::support;

const PIXELS: usize = 3 * 32 * 32;

/// One of the two sets, as its archive holds it.
struct Layout {
    train: &'static [&'static str],
    test: &'static [&'static str],
    classes: &'static str,
    /// The bytes ahead of the pixels, of which the last is the label.
    label_bytes: usize,
}

const CIFAR10: Layout = Layout {
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: &["test_batch.bin"],
    classes: "batches.meta.txt",
    label_bytes: 1,
};
const CIFAR100: Layout =
    Layout { train: &["train.bin"], test: &["test.bin"], classes: "fine_label_names.txt", label_bytes: 2 };

/// The images of CIFAR-10 on the CPU: images `[N, 3, 32, 32]` float32 in 0 to 1, labels `[N]` int64, with N = 50,000 to
/// train on and 10,000 to test on. 170 MB to download; 600 MB of memory to train on.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let train = cifar10(Split::Train)?;
/// assert_eq!(train.images.size(), [50_000, 3, 32, 32]);
/// assert_eq!(train.classes[6], "frog");
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the archive cannot be downloaded or is damaged.
pub fn cifar10(split: Split) -> Result<LabelledImages, DatasetError> {
    load(&Cache::from_environment()?, &cifar10_source(), &CIFAR10, split)
}

/// The images of CIFAR-100 with their fine labels, in the form and number of [`cifar10`]. 169 MB to download.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let test = cifar100(Split::Test)?;
/// assert_eq!((test.len(), test.classes.len()), (10_000, 100));
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the archive cannot be downloaded or is damaged.
pub fn cifar100(split: Split) -> Result<LabelledImages, DatasetError> {
    load(&Cache::from_environment()?, &cifar100_source(), &CIFAR100, split)
}

fn cifar10_source() -> Source {
    source("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")
}

fn cifar100_source() -> Source {
    source("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8")
}

fn source(name: &str, md5: &str) -> Source {
    Source::new(name, [format!("https://www.cs.toronto.edu/~kriz/{name}")]).md5(md5)
}

fn load(cache: &Cache, source: &Source, layout: &Layout, split: Split) -> Result<LabelledImages, DatasetError> {
    let path = cache.fetch(source, &checkpoint)?;
    let batches = match split {
        Split::Train => layout.train,
        Split::Test => layout.test,
    };
    let mut wanted = batches.to_vec();
    wanted.push(layout.classes);
    let files = unpack(&path, &wanted)?;
    let classes: Vec<String> = String::from_utf8_lossy(&files[layout.classes])
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();

    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    for batch in batches {
        checkpoint();
        let bytes = &files[*batch];
        let records = bytes.chunks_exact(layout.label_bytes + PIXELS);
        if bytes.is_empty() || !records.remainder().is_empty() {
            let what = format!("{batch} has {} bytes, which is not a whole number of images", bytes.len());
            return Err(DatasetError::damaged(&path, what));
        }
        for record in records {
            let label = record[layout.label_bytes - 1];
            if usize::from(label) >= classes.len() {
                let what = format!("{batch} has the label {label}, and there are {} classes", classes.len());
                return Err(DatasetError::damaged(&path, what));
            }
            labels.push(i64::from(label));
            pixels.extend_from_slice(&record[layout.label_bytes..]);
        }
    }
    let shape = [labels.len() as i64, 3, 32, 32];
    let images = Tensor::f_from_data_size(&pixels, &shape, Kind::Uint8)
        .map_err(|error| DatasetError::damaged(&path, error.to_string()))?;
    Ok(LabelledImages { images: to_unit_range(&images), labels: Tensor::from_slice(&labels), classes })
}

/// The contents of some files of an archive, by name without folder. All of them have to be there.
fn unpack(path: &Path, wanted: &[&str]) -> Result<HashMap<String, Vec<u8>>, DatasetError> {
    let error = DatasetError::reading(path);
    let support = support().map_err(|reason| error(io::Error::new(io::ErrorKind::Unsupported, reason)))?;
    let files = (support.unpack)(&mut *packed::open(path).map_err(&error)?, wanted).map_err(&error)?;
    match wanted.iter().find(|name| !files.contains_key(**name)) {
        Some(missing) => Err(DatasetError::damaged(path, format!("it has no file {missing}"))),
        None => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;
    use crate::tests::server::refused;

    fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, bytes) in files {
            let mut header = Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, format!("cifar/{name}"), &bytes[..]).expect("packs");
        }
        builder.into_inner().and_then(GzEncoder::finish).expect("packs")
    }

    /// A record whose planes are of one value each.
    fn record(labels: &[u8], planes: [u8; 3]) -> Vec<u8> {
        let planes = planes.into_iter().flat_map(|value| [value; 1024]);
        labels.iter().copied().chain(planes).collect()
    }

    fn read(archive: &[u8], layout: &Layout, split: Split) -> Result<LabelledImages, DatasetError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("cifar.tar.gz"), archive).expect("writes");
        let cache = Cache { shared: Vec::new(), own: folder.path().to_owned() };
        load(&cache, &Source::new("cifar.tar.gz", [refused()]), layout, split)
    }

    fn cifar10_files() -> Vec<(&'static str, Vec<u8>)> {
        // Out of order, as they may stand in an archive.
        let mut files: Vec<_> = CIFAR10
            .train
            .iter()
            .zip([0u8, 1, 2, 3, 4])
            .rev()
            .map(|(name, n)| (*name, record(&[n], [n, 51, 255])))
            .collect();
        files.push(("test_batch.bin", [record(&[1], [0, 0, 0]), record(&[0], [255, 0, 0])].concat()));
        files.push(("batches.meta.txt", b"airplane\nautomobile\nbird\ncat\ndeer\n\n".to_vec()));
        files
    }

    #[test]
    fn batches_are_joined_in_their_order_and_planes_are_channels() {
        let set = read(&archive(&cifar10_files()), &CIFAR10, Split::Train).expect("a good archive");
        assert_eq!((set.images.size(), set.images.kind()), (vec![5, 3, 32, 32], Kind::Float));
        assert_eq!(set.labels, Tensor::from_slice(&[0i64, 1, 2, 3, 4]));
        let pixel = |image: i64, channel: i64| set.images.double_value(&[image, channel, 31, 7]);
        assert!((pixel(4, 0) - 4.0 / 255.0).abs() < 1e-7 && (pixel(4, 1) - 0.2).abs() < 1e-7 && pixel(4, 2) == 1.0);
        assert_eq!(set.classes, ["airplane", "automobile", "bird", "cat", "deer"]);
        let test = read(&archive(&cifar10_files()), &CIFAR10, Split::Test).expect("a good archive");
        assert_eq!(test.labels, Tensor::from_slice(&[1i64, 0]));
    }

    #[test]
    fn cifar100_gives_the_fine_label() {
        let files = [
            ("train.bin", [record(&[1, 2], [1, 2, 3]), record(&[0, 1], [4, 5, 6])].concat()),
            ("fine_label_names.txt", b"apple\nbeaver\ncloud\n".to_vec()),
            ("coarse_label_names.txt", b"fruit\nother\n".to_vec()),
        ];
        let set = read(&archive(&files), &CIFAR100, Split::Train).expect("a good archive");
        assert_eq!(set.labels, Tensor::from_slice(&[2i64, 1]));
        assert_eq!(set.classes, ["apple", "beaver", "cloud"]);
    }

    #[test]
    fn a_damaged_archive_is_named_with_what_is_wrong() {
        let good = archive(&cifar10_files());
        let without =
            |name: &str| -> Vec<_> { cifar10_files().into_iter().filter(|(other, _)| *other != name).collect() };
        let with = |name: &'static str, bytes: Vec<u8>| {
            let mut files = without(name);
            files.push((name, bytes));
            archive(&files)
        };
        for (archive, expected) in [
            (archive(&without("data_batch_3.bin")), "it has no file data_batch_3.bin"),
            (
                with("data_batch_1.bin", vec![0; 3000]),
                "data_batch_1.bin has 3000 bytes, which is not a whole number of images",
            ),
            (with("data_batch_1.bin", vec![]), "data_batch_1.bin has 0 bytes"),
            (
                with("data_batch_1.bin", record(&[5], [0; 3])),
                "data_batch_1.bin has the label 5, and there are 5 classes",
            ),
            (good[..good.len() / 2].to_vec(), "is damaged"),
            (b"<html>no such file</html>".to_vec(), "is damaged"),
        ] {
            let error = read(&archive, &CIFAR10, Split::Train).expect_err("damaged").to_string();
            assert!(error.contains("cifar.tar.gz") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn addresses_and_checksums_are_those_of_the_authors_page() {
        let ten = cifar10_source();
        assert_eq!(ten.urls, ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]);
        assert_eq!(ten.md5.as_deref(), Some("c32a1d4ab5d03f1284b67883e8d87530"));
        let hundred = cifar100_source();
        assert_eq!(hundred.urls, ["https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"]);
        assert_eq!(hundred.md5.as_deref(), Some("03b5dce01913d631647c71ecec9e9cb8"));
    }
}
