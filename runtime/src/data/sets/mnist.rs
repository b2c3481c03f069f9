//! MNIST and Fashion-MNIST: 70,000 grey images of 28 by 28 pixels in 10 classes, downloaded at first use.
//!
//! The files are those that torchvision takes, with the same checksums and under the same names: a folder of
//! torchvision's serves as `OXTORCH_DATA`. What is kept and how to do without a network: [`Source::path`].

use tch::Kind;

use crate::checkpoint::checkpoint;
use crate::data::download::Cache;
use crate::data::files::to_unit_range;
use crate::data::{DatasetError, LabelledImages, Source, Split, read_idx};

const MNIST_MIRRORS: [&str; 2] =
    ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];
/// The repository of the data set's authors; the address that torchvision takes is not encrypted.
const FASHION_MNIST_MIRRORS: [&str; 1] =
    ["https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"];
const DIGITS: [&str; 10] = [
    "0 - zero",
    "1 - one",
    "2 - two",
    "3 - three",
    "4 - four",
    "5 - five",
    "6 - six",
    "7 - seven",
    "8 - eight",
    "9 - nine",
];
const CLOTHES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// The handwritten digits of MNIST on the CPU: images `[N, 1, 28, 28]` float32 in 0 to 1, labels `[N]` int64, with N =
/// 60,000 to train on and 10,000 to test on. About 10 MB to download.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let (train, test) = (mnist(Split::Train)?, mnist(Split::Test)?);
/// assert_eq!(train.images.size(), [60_000, 1, 28, 28]);
/// assert_eq!(test.len(), 10_000);
/// # anyhow::Ok(())
/// ```
///
/// Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, 1998.
///
/// # Errors
///
/// Where a file cannot be downloaded or is damaged.
pub fn mnist(split: Split) -> Result<LabelledImages, DatasetError> {
    load(&Cache::from_environment()?, &mnist_sources(split), &DIGITS)
}

/// The articles of clothing of Fashion-MNIST on the CPU, in the form and number of [`mnist`]. About 30 MB to download.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let train = fashion_mnist(Split::Train)?;
/// assert_eq!(train.classes[9], "Ankle boot");
/// # anyhow::Ok(())
/// ```
///
/// H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning
/// algorithms, 2017, <https://arxiv.org/abs/1708.07747>.
///
/// # Errors
///
/// Where a file cannot be downloaded or is damaged.
pub fn fashion_mnist(split: Split) -> Result<LabelledImages, DatasetError> {
    load(&Cache::from_environment()?, &fashion_mnist_sources(split), &CLOTHES)
}

/// The files of images and of labels.
fn mnist_sources(split: Split) -> [Source; 2] {
    let [images, labels] = match split {
        Split::Train => ["f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432"],
        Split::Test => ["9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c"],
    };
    sources("MNIST", &MNIST_MIRRORS, split, images, labels)
}

fn fashion_mnist_sources(split: Split) -> [Source; 2] {
    let [images, labels] = match split {
        Split::Train => ["8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe"],
        Split::Test => ["bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310"],
    };
    sources("FashionMNIST", &FASHION_MNIST_MIRRORS, split, images, labels)
}

fn sources(folder: &str, mirrors: &[&str], split: Split, images: &str, labels: &str) -> [Source; 2] {
    let prefix = match split {
        Split::Train => "train",
        Split::Test => "t10k",
    };
    [("images-idx3", images), ("labels-idx1", labels)].map(|(content, md5)| {
        let file = format!("{prefix}-{content}-ubyte.gz");
        Source::new(format!("{folder}/raw/{file}"), mirrors.iter().map(|mirror| format!("{mirror}{file}"))).md5(md5)
    })
}

fn load(cache: &Cache, [images, labels]: &[Source; 2], classes: &[&str; 10]) -> Result<LabelledImages, DatasetError> {
    let (image_path, label_path) = (cache.fetch(images, &checkpoint)?, cache.fetch(labels, &checkpoint)?);
    let (images, labels) = (read_idx(&image_path)?, read_idx(&label_path)?);
    let (Kind::Uint8, &[count, height, width]) = (images.kind(), &images.size()[..]) else {
        let what = format!("it holds {:?} of shape {:?} instead of grey images", images.kind(), images.size());
        return Err(DatasetError::damaged(&image_path, what));
    };
    if labels.kind() != Kind::Uint8 || labels.size() != [count] {
        let what = format!("it holds {:?} of shape {:?} instead of {count} labels", labels.kind(), labels.size());
        return Err(DatasetError::damaged(&label_path, what));
    }
    let labels = labels.to_kind(Kind::Int64);
    if count > 0 && labels.max().int64_value(&[]) >= classes.len() as i64 {
        return Err(DatasetError::damaged(&label_path, format!("it has labels beyond its {} classes", classes.len())));
    }
    Ok(LabelledImages {
        images: to_unit_range(&images).view([count, 1, height, width]),
        labels,
        classes: classes.map(str::to_owned).to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use md5::{Digest, Md5};
    use serde_json::json;
    use tch::Tensor;
    use tempfile::TempDir;

    use super::*;
    use crate::reference::Reference;
    use crate::tests::server::Server;

    fn packed(header: &[u8], numbers: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(header).and_then(|()| encoder.write_all(numbers)).expect("packs");
        encoder.finish().expect("packs")
    }

    /// Two images of 2 by 2 pixels.
    fn images() -> Vec<u8> {
        packed(&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2], &[0, 255, 51, 102, 1, 2, 3, 4])
    }

    fn read(images: Vec<u8>, labels: Vec<u8>) -> (TempDir, Result<LabelledImages, DatasetError>) {
        let sum = |bytes: &[u8]| Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let sums = [sum(&images), sum(&labels)];
        let server =
            Server::of_files(vec![("train-images-idx3-ubyte.gz", images), ("train-labels-idx1-ubyte.gz", labels)]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache { shared: Vec::new(), own: folder.path().to_owned() };
        let sources = sources("MNIST", &[&server.url("")], Split::Train, &sums[0], &sums[1]);
        let result = load(&cache, &sources, &DIGITS);
        (folder, result)
    }

    #[test]
    fn downloaded_images_come_with_their_labels() {
        let (folder, set) = read(images(), packed(&[0, 0, 8, 1, 0, 0, 0, 2], &[7, 9]));
        let set = set.expect("a good set");
        assert_eq!((set.images.size(), set.images.kind()), (vec![2, 1, 2, 2], Kind::Float));
        let expected = Tensor::from_slice(&[0.0f32, 1.0, 0.2, 0.4]).view([1, 2, 2]);
        assert!(set.images.get(0).allclose(&expected, 1e-7, 0.0, false));
        assert_eq!(set.labels, Tensor::from_slice(&[7i64, 9]));
        assert_eq!(set.classes[7], "7 - seven");
        assert!(folder.path().join("MNIST/raw/train-images-idx3-ubyte.gz").is_file());
    }

    #[test]
    fn files_that_do_not_go_together_are_named() {
        let label = |labels: &[u8]| packed(&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels);
        for (images, labels, expected) in [
            (
                images(),
                label(&[1, 2, 3]),
                "labels-idx1-ubyte.gz is damaged: it holds Uint8 of shape [3] instead of 2 labels",
            ),
            (images(), label(&[1, 10]), "labels-idx1-ubyte.gz is damaged: it has labels beyond its 10 classes"),
            (
                label(&[1]),
                label(&[1]),
                "images-idx3-ubyte.gz is damaged: it holds Uint8 of shape [1] instead of grey images",
            ),
            (images()[..30].to_vec(), label(&[1, 2]), "images-idx3-ubyte.gz is damaged: it ends too early"),
        ] {
            let error = read(images, labels).1.expect_err("damaged").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn names_and_checksums_are_those_of_torchvision_and_addresses_are_encrypted() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/data_files.json"));
        for (name, sources, classes) in [
            ("MNIST", [mnist_sources(Split::Train), mnist_sources(Split::Test)], DIGITS),
            ("FashionMNIST", [fashion_mnist_sources(Split::Train), fashion_mnist_sources(Split::Test)], CLOTHES),
        ] {
            let sources = sources.as_flattened();
            let theirs = reference.value(&format!("/sources/{name}")).as_array().expect("a list");
            assert_eq!(sources.len(), theirs.len());
            for (ours, theirs) in sources.iter().zip(theirs) {
                assert_eq!((json!(ours.name), json!(ours.md5)), (theirs[0].clone(), theirs[2].clone()));
                assert!(!ours.urls.is_empty() && ours.urls.iter().all(|url| url.starts_with("https://")), "{ours:?}");
            }
            assert_eq!(json!(classes), *reference.value(&format!("/classes/{name}")));
        }
    }
}
