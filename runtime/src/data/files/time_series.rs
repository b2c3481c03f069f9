//! Time series in `.ts` files, the format of the UEA and UCR archives, which aeon and sktime read.
//!
//! Lines that begin with `#` are remarks, and such that begin with `@` say what follows. Below `@data` each line is one
//! case: its channels with `:` between them, the values of a channel with `,` between them, and behind the last `:` the
//! class.

use std::io::Read;
use std::path::Path;

use tch::{Kind, Tensor};

use super::{DatasetError, packed};
use crate::nn::utils::rnn::pad_sequence;

/// Series of one or several channels, which need not be of one length, and their classes.
#[derive(Debug)]
pub struct TimeSeries {
    /// Each is `[length, channels]`, float32, on the CPU. A missing value is NaN. (aeon has the channels first.)
    pub series: Vec<Tensor>,
    /// The class of each: `[N]` int64, on the CPU; `[0]` if the file has no classes.
    pub labels: Tensor,
    /// The names of the classes, in the order of the file's head.
    pub classes: Vec<String>,
}

impl TimeSeries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// All series in one tensor `[N, longest, channels]` float32 with zeros behind the short ones, as PyTorch's
    /// `pad_sequence(series, batch_first=True)` makes it, and their lengths `[N]` int64: what
    /// [`seq_lengths`](crate::nn::RNN::seq_lengths) of an LSTM or a GRU takes.
    ///
    /// # Panics
    ///
    /// If there is no series.
    pub fn padded(&self) -> (Tensor, Tensor) {
        let lengths: Vec<i64> = self.series.iter().map(|series| series.size()[0]).collect();
        (pad_sequence(&self.series, true, 0.0, "right"), Tensor::from_slice(&lengths))
    }
}

/// Reads a `.ts` file, packed with gzip or not.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::data::read_ts;
/// let text = "@problemName Steps\n@classLabel true up down\n@data\n1,2,3:0,0,1:up\n5,4:1,?:down\n";
/// std::fs::write("steps.ts", text)?;
/// let steps = read_ts("steps.ts")?;
/// assert_eq!(steps.series[0], Tensor::from_slice2(&[[1.0f32, 0.0], [2.0, 0.0], [3.0, 1.0]]));
/// assert_eq!(steps.classes, ["up", "down"]);
/// assert_eq!(steps.labels, Tensor::from_slice(&[0i64, 1]));
/// # std::fs::remove_file("steps.ts")?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// If the file cannot be read, has time stamps or numbers to predict in place of classes (neither is supported), or a
/// line is not what the head of the file says.
pub fn read_ts(path: impl AsRef<Path>) -> Result<TimeSeries, DatasetError> {
    let path = path.as_ref();
    let mut text = String::new();
    packed::open(path).and_then(|mut file| file.read_to_string(&mut text)).map_err(DatasetError::reading(path))?;
    parse(&text).map_err(|what| DatasetError::damaged(path, what))
}

fn parse(text: &str) -> Result<TimeSeries, String> {
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty() && !line.starts_with('#'));
    let mut classes = None;
    loop {
        let (line, _) = lines.next().ok_or("it has no line `@data`")?;
        let mut words = line.split_whitespace();
        let key = words.next().unwrap_or_default().to_lowercase();
        let is_on = words.next().is_some_and(|word| word.eq_ignore_ascii_case("true"));
        match &*key {
            "@data" => break,
            "@classlabel" if is_on => classes = Some(words.map(str::to_owned).collect::<Vec<_>>()),
            "@timestamps" | "@targetlabel" if is_on => return Err(format!("`{line}` is not supported")),
            _ if !key.starts_with('@') => return Err("it does not begin like a .ts file, with lines of `@`".to_owned()),
            _ => {}
        }
    }
    let (mut series, mut labels) = (Vec::new(), Vec::new());
    for (line, number) in lines {
        let case = case(line, classes.as_deref()).map_err(|what| format!("line {number}: {what}"))?;
        series.push(case.0);
        labels.extend(case.1);
    }
    let channels = |series: &Tensor| series.size()[1];
    if let Some(other) = series.iter().find(|other| channels(other) != channels(&series[0])) {
        return Err(format!("some series have {} channels and some {}", channels(&series[0]), channels(other)));
    }
    Ok(TimeSeries { series, labels: Tensor::from_slice(&labels), classes: classes.unwrap_or_default() })
}

/// One series, `[length, channels]`, and the index of its class if there are classes.
fn case(line: &str, classes: Option<&[String]>) -> Result<(Tensor, Option<i64>), String> {
    let mut channels: Vec<&str> = line.trim().split(':').collect();
    let label = match classes {
        Some(classes) => {
            let name = channels.pop().unwrap_or_default().trim();
            let index = classes.iter().position(|class| class == name);
            Some(index.ok_or_else(|| format!("the class {name:?} is not one of {}", classes.join(", ")))? as i64)
        }
        None => None,
    };
    let channels = channels.into_iter().map(values).collect::<Result<Vec<_>, _>>()?;
    let length = channels.first().map_or(0, Vec::len);
    if length == 0 || channels.iter().any(|channel| channel.len() != length) {
        return Err("a channel is missing, or they are of different lengths".to_owned());
    }
    let all = channels.concat();
    let series = Tensor::from_slice(&all).view([channels.len() as i64, length as i64]).transpose(0, 1).contiguous();
    Ok((series.to_kind(Kind::Float), label))
}

fn values(channel: &str) -> Result<Vec<f32>, String> {
    let value = |text: &str| match text.trim() {
        "?" => Ok(f32::NAN),
        text => text.parse().map_err(|_| format!("{text:?} is not a number")),
    };
    channel.split(',').map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn series_are_those_that_aeon_reads() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/package_files.json"));
        let set = parse(reference.value("/series/file").as_str().expect("text")).expect("a good file");
        for (index, series) in set.series.iter().enumerate() {
            reference.check(&format!("/series/cases/{index}"), series, 0.0);
        }
        let labels = Vec::<i64>::try_from(&set.labels).expect("is a list");
        let names: Vec<&String> = labels.iter().map(|label| &set.classes[*label as usize]).collect();
        assert_eq!(names, reference.texts("/series/labels").iter().collect::<Vec<_>>());
    }

    const HEAD: &str = "# from somewhere\n@problemName x\n@timeStamps false\n@classLabel true b a\n@data\n";

    #[test]
    fn cases_have_the_lengths_that_they_have() {
        let set = parse(&format!("{HEAD}1.5,?,3:4,5,6:a\n\n7:8:b\n")).expect("is good");
        assert_eq!((set.len(), set.classes.as_slice()), (2, &["b".to_owned(), "a".to_owned()][..]));
        assert_eq!(set.labels, Tensor::from_slice(&[1i64, 0]));
        assert_eq!(set.series[0].size(), [3, 2]);
        assert!(set.series[0].double_value(&[1, 0]).is_nan());
        assert_eq!(set.series[1], Tensor::from_slice2(&[[7.0f32, 8.0]]));
        let (padded, lengths) = set.padded();
        assert_eq!(
            (padded.size(), padded.kind(), lengths),
            (vec![2, 3, 2], Kind::Float, Tensor::from_slice(&[3i64, 1]))
        );
        assert_eq!(padded.get(1), Tensor::from_slice2(&[[7.0f32, 8.0], [0.0, 0.0], [0.0, 0.0]]));
        assert_eq!(padded.get(0).get(2), Tensor::from_slice(&[3.0f32, 6.0]));
    }

    #[test]
    fn a_file_without_classes_has_no_labels() {
        let set = parse("@classLabel false\n@data\n1,2,3\n4,5\n").expect("is good");
        assert_eq!((set.labels.size(), set.classes.len(), set.len(), set.is_empty()), (vec![0], 0, 2, false));
        assert_eq!(set.series[1], Tensor::from_slice2(&[[4.0f32], [5.0]]));
        assert!(parse("@data\n").expect("is good").is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("", "it has no line `@data`"),
            ("1,2,3\n", "it does not begin like a .ts file"),
            ("@timeStamps true\n@data\n", "`@timeStamps true` is not supported"),
            ("@targetlabel true\n@data\n", "`@targetlabel true` is not supported"),
            (&format!("{HEAD}1,2:c\n"), "line 6: the class \"c\" is not one of b, a"),
            (&format!("{HEAD}1,x:a\n"), "line 6: \"x\" is not a number"),
            (&format!("{HEAD}1,2:3:a\n"), "line 6: a channel is missing, or they are of different lengths"),
            (&format!("{HEAD}a\n"), "line 6: a channel is missing"),
            (&format!("{HEAD}1:a\n1:2:a\n"), "some series have 1 channels and some 2"),
        ] {
            let what = parse(text).expect_err("is damaged");
            assert!(what.starts_with(expected), "{what}");
        }
    }
}
