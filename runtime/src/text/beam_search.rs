//! The likeliest texts that a language model can write, found by beam search.

use tch::{Kind, Tensor};

use crate::elements::elements;
use crate::modes::no_grad;

/// How [`beam_search`] searches. Names and defaults are those of Hugging Face's `generate`.
#[derive(Debug, Clone)]
pub struct BeamSearchConfig {
    /// How many texts are followed at a time. Default 4.
    pub num_beams: usize,
    /// How many texts are returned of each prompt, `num_beams` at most. Default 1.
    pub num_return_sequences: usize,
    /// How many tokens a text has at most after its prompt. Default 20.
    pub max_new_tokens: usize,
    /// The token that ends a text. Default `None`: all texts have `max_new_tokens`.
    pub eos_token_id: Option<i64>,
    /// The exponent of the length by which log-probabilities are divided: above 0 it favors long texts, below 0 short
    /// ones. Default 1, which is the mean log-probability of a token; 0 is their sum.
    pub length_penalty: f64,
    /// Ends with the first `num_beams` texts that are complete. Default false: goes on while a text that is not
    /// complete has a better score, at its length, than the worst that is.
    pub early_stopping: bool,
}

impl Default for BeamSearchConfig {
    fn default() -> Self {
        Self {
            num_beams: 4,
            num_return_sequences: 1,
            max_new_tokens: 20,
            eos_token_id: None,
            length_penalty: 1.0,
            early_stopping: false,
        }
    }
}

/// A text that [`beam_search`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// The prompt and what comes after it, with the end token if there is one.
    pub tokens: Vec<i64>,
    /// `log(P) / n^length_penalty`, where `P` is the probability of the `n` tokens after the prompt.
    pub score: f64,
}

/// Searches for the likeliest continuations of prompts `[N, T]` int64: of all continuations of `num_beams` texts by one
/// token it keeps the `num_beams` likeliest, and so on token by token. Returns a list for each prompt, the best text
/// first.
///
/// `log_probs` gets the texts so far, `[N * num_beams, length]`, and returns the log-probabilities of their next
/// tokens, `[N * num_beams, V]`. Those of prompt `i` are the rows from `i * num_beams` on, so
/// `encoded.repeat_interleave_self_int(num_beams, 0, None)` gives each row the input that its prompt belongs to. No
/// gradients are recorded.
///
/// The score is that of Y. Wu et al., Google's neural machine translation system, 2016, with the length penalty and the
/// end of the search as in Hugging Face's `generate`.
///
/// ```
/// use oxtorch::prelude::*;
/// // The greedy choice is token 0, after which all are equally likely. Token 1 leads to a sure end.
/// let next = Tensor::from_slice2(&[[0.34f64, 0.33, 0.33], [0.01, 0.01, 0.98], [0.55, 0.44, 0.01]]).log();
/// let prompt = Tensor::from_slice2(&[[2i64]]);
/// let config = text::BeamSearchConfig { num_beams: 2, eos_token_id: Some(2), ..Default::default() };
/// let found = text::beam_search(&prompt, &config, |texts| next.index_select(0, &texts.select(1, -1)));
/// assert_eq!(found[0][0].tokens, [2, 1, 2]);
/// assert!((found[0][0].score - (0.44f64 * 0.98).ln() / 2.0).abs() < 1e-9);
/// ```
///
/// # Panics
///
/// If the prompts are no integers `[N, T]`; if `log_probs` returns another shape, NaN, or numbers above 0; if a count
/// of the configuration is 0, or more texts are to be returned than there are beams.
#[track_caller]
pub fn beam_search(
    prompts: &Tensor,
    config: &BeamSearchConfig,
    mut log_probs: impl FnMut(&Tensor) -> Tensor,
) -> Vec<Vec<Hypothesis>> {
    check(prompts, config);
    let beams = config.num_beams as i64;
    let start = |prompt: &Tensor| Search::new(&elements(prompt), config);
    let mut searches: Vec<Search> = prompts.unbind(0).iter().map(start).collect();
    let mut texts = prompts.repeat_interleave_self_int(beams, 0, None);
    for _ in 0..config.max_new_tokens {
        if searches.iter().all(|search| search.is_done) {
            break;
        }
        let next = no_grad(|| log_probs(&texts));
        let candidates = candidates(&next, &texts, &searches, config.num_beams);
        searches.iter_mut().zip(candidates).for_each(|(search, candidates)| search.step(&candidates));
        texts = tensor_of(&searches).to_device(prompts.device());
    }
    searches.into_iter().map(Search::best).collect()
}

#[track_caller]
fn check(prompts: &Tensor, config: &BeamSearchConfig) {
    assert!(
        prompts.dim() == 2 && prompts.kind() == Kind::Int64,
        "beam_search: prompts of {:?} {:?}; they are [N, T] int64: `unsqueeze(0)` makes a batch of one",
        prompts.size(),
        prompts.kind()
    );
    let BeamSearchConfig { num_beams, num_return_sequences, max_new_tokens, .. } = *config;
    assert!(num_beams > 0 && max_new_tokens > 0, "beam_search: num_beams and max_new_tokens must be at least 1");
    assert!(
        (1..=num_beams).contains(&num_return_sequences),
        "beam_search: {num_return_sequences} texts to return of {num_beams} beams; give num_return_sequences from 1 to \
         num_beams"
    );
}

/// The texts of all prompts, `[N * num_beams, length]`.
fn tensor_of(searches: &[Search]) -> Tensor {
    let texts = searches.iter().flat_map(|search| &search.running);
    let tokens: Vec<i64> = texts.flat_map(|text| text.tokens.iter().copied()).collect();
    let rows = searches.iter().map(|search| search.running.len() as i64).sum::<i64>();
    Tensor::from_slice(&tokens).view([rows, -1])
}

/// A text with one token more.
struct Candidate {
    /// Which of the running texts it goes on with.
    beam: usize,
    token: i64,
    log_probability: f64,
}

/// The likeliest continuations for each prompt, the best first: twice as many as there are beams, so that as many go on
/// where as many end.
#[track_caller]
fn candidates(next: &Tensor, texts: &Tensor, searches: &[Search], beams: usize) -> Vec<Vec<Candidate>> {
    let rows = texts.size()[0];
    let vocabulary = match next.size()[..] {
        [given, vocabulary] if given == rows && vocabulary > 0 => vocabulary,
        ref size => panic!(
            "beam_search: log-probabilities of {size:?} for texts of {:?}; they are [{rows}, V], of the next token \
             alone: take the last position of a sequence",
            texts.size()
        ),
    };
    let kind = if next.kind() == Kind::Double { Kind::Double } else { Kind::Float };
    let next = next.to_kind(kind);
    if next.numel() > 0 {
        let highest = next.max().double_value(&[]);
        assert!(!highest.is_nan(), "beam_search: a log-probability is NaN; look at the loss of the model");
        assert!(
            highest < 1e-2,
            "beam_search: a log-probability of {highest}, which is above 0; `logits.log_softmax(-1, None)` makes them \
             from logits"
        );
    }
    let so_far: Vec<f64> =
        searches.iter().flat_map(|search| search.running.iter().map(|text| text.log_probability)).collect();
    let so_far = Tensor::from_slice(&so_far).to_kind(kind).to_device(next.device()).unsqueeze(1);
    let prompts = searches.len() as i64;
    let all = (next + so_far).view([prompts, beams as i64 * vocabulary]);
    let count = (2 * beams as i64).min(all.size()[1]);
    let (values, indices) = all.topk(count, 1, true, true);
    let (values, indices): (Vec<f64>, Vec<i64>) = (elements(&values), elements(&indices));
    let candidate = |(log_probability, index): (&f64, &i64)| Candidate {
        beam: (index / vocabulary) as usize,
        token: index % vocabulary,
        log_probability: *log_probability,
    };
    let count = count as usize;
    let of_prompts = values.chunks(count).zip(indices.chunks(count));
    of_prompts.map(|(values, indices)| values.iter().zip(indices).map(candidate).collect()).collect()
}

/// A text that has not ended.
#[derive(Debug, Clone)]
struct Beam {
    tokens: Vec<i64>,
    /// -inf of one that only fills a place.
    log_probability: f64,
}

/// The search for the continuations of one prompt.
struct Search<'a> {
    config: &'a BeamSearchConfig,
    prompt: usize,
    /// As many as there are beams, the best first.
    running: Vec<Beam>,
    /// The best that are complete, the best first.
    finished: Vec<Hypothesis>,
    is_done: bool,
}

impl<'a> Search<'a> {
    fn new(prompt: &[i64], config: &'a BeamSearchConfig) -> Self {
        let beam = |log_probability| Beam { tokens: prompt.to_vec(), log_probability };
        // Of equal texts only one may go on, or all beams would find the same.
        let mut running = vec![beam(f64::NEG_INFINITY); config.num_beams];
        running[0] = beam(0.0);
        Self { config, prompt: prompt.len(), running, finished: Vec::new(), is_done: false }
    }

    fn step(&mut self, candidates: &[Candidate]) {
        let beams = self.config.num_beams;
        let length = self.running[0].tokens.len() + 1 - self.prompt;
        let is_last = length == self.config.max_new_tokens;
        let mut running: Vec<Beam> = Vec::new();
        for (rank, candidate) in candidates.iter().enumerate() {
            let text = self.running[candidate.beam].tokens.iter().copied().chain([candidate.token]).collect();
            let next = Beam { tokens: text, log_probability: candidate.log_probability };
            let is_possible = next.log_probability > f64::NEG_INFINITY;
            if !is_last && self.config.eos_token_id != Some(candidate.token) {
                running.push(next);
            } else if is_possible && rank < beams && !self.is_done {
                let score = self.score(next.log_probability, length);
                self.finished.push(Hypothesis { tokens: next.tokens, score });
            }
        }
        // Where the vocabulary is too small for all places, texts that cannot win fill the rest.
        let filler = || Beam {
            tokens: self.running[0].tokens.iter().copied().chain([0]).collect(),
            log_probability: f64::NEG_INFINITY,
        };
        running.resize_with(beams, filler);
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.finished.truncate(beams);
        self.running = running;
        self.is_done |= !self.can_improve(length);
    }

    /// Whether texts that still run may be better than those that are complete.
    fn can_improve(&self, length: usize) -> bool {
        let best = self.running[0].log_probability;
        let worst = self.finished.last().filter(|_| self.finished.len() == self.config.num_beams);
        let beats = |worst: &Hypothesis| !self.config.early_stopping && self.score(best, length) > worst.score;
        best > f64::NEG_INFINITY && worst.is_none_or(beats)
    }

    fn score(&self, log_probability: f64, length: usize) -> f64 {
        log_probability / (length as f64).powf(self.config.length_penalty)
    }

    fn best(mut self) -> Vec<Hypothesis> {
        self.finished.truncate(self.config.num_return_sequences);
        self.finished
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    /// Log-probabilities of a token by the last one and by how many there are.
    fn model(table: &Tensor) -> impl Fn(&Tensor) -> Tensor + '_ {
        |texts| table.get((texts.size()[1] - 1).min(table.size()[0] - 1)).index_select(0, &texts.select(1, -1))
    }

    #[test]
    fn texts_and_scores_are_those_of_transformers() {
        let reference = Reference::parse(include_str!("../../../tests/reference/beam_search.json"));
        let (table, prompts) = (reference.tensor("/table"), reference.tensor("/prompts"));
        for case in reference.value("/cases").as_array().expect("cases") {
            let number = |name: &str| case[name].as_f64().expect("a number");
            let config = BeamSearchConfig {
                num_beams: number("num_beams") as usize,
                num_return_sequences: number("num_return_sequences") as usize,
                max_new_tokens: number("max_new_tokens") as usize,
                eos_token_id: case["eos_token_id"].as_i64(),
                length_penalty: number("length_penalty"),
                early_stopping: case["early_stopping"].as_bool().expect("a truth"),
            };
            let found = beam_search(&prompts, &config, model(&table)).concat();
            let expected = case["found"].as_array().expect("texts");
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let tokens: Vec<i64> =
                    expected["tokens"].as_array().expect("tokens").iter().filter_map(|token| token.as_i64()).collect();
                assert_eq!(found.tokens, tokens, "{config:?}");
                assert!((found.score - expected["score"].as_f64().expect("a score")).abs() < 1e-5, "{config:?}");
            }
        }
    }

    #[test]
    fn enough_beams_find_the_best_of_all_texts() {
        let reference = Reference::parse(include_str!("../../../tests/reference/beam_search.json"));
        let table = reference.tensor("/table");
        let config =
            BeamSearchConfig { num_beams: 256, max_new_tokens: 3, num_return_sequences: 5, ..Default::default() };
        let config = BeamSearchConfig { eos_token_id: Some(0), length_penalty: 0.6, ..config };
        let found = beam_search(&reference.tensor("/prompts"), &config, model(&table));
        for (prompt, found) in found.iter().enumerate() {
            let scores: Vec<f64> = found.iter().map(|text| text.score).collect();
            reference.check(&format!("/exhaustive/{prompt}"), &Tensor::from_slice(&scores), 1e-5);
        }
    }

    #[test]
    fn prompts_of_a_batch_do_not_disturb_each_other() {
        let reference = Reference::parse(include_str!("../../../tests/reference/beam_search.json"));
        let (table, prompts) = (reference.tensor("/table"), reference.tensor("/prompts"));
        let config = BeamSearchConfig { eos_token_id: Some(0), num_return_sequences: 3, ..Default::default() };
        let together = beam_search(&prompts, &config, model(&table));
        for (prompt, together) in together.iter().enumerate() {
            let alone = beam_search(&prompts.narrow(0, prompt as i64, 1), &config, model(&table));
            assert_eq!(&alone[0], together);
        }
        assert!(beam_search(&prompts.narrow(0, 0, 0), &config, model(&table)).is_empty());
    }

    #[test]
    fn what_is_impossible_is_not_found() {
        // Token 2 alone may follow, and then the end.
        let masked = Tensor::from_slice2(&[[f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0]; 3]);
        let ends = Tensor::from_slice2(&[[0.0, f64::NEG_INFINITY, f64::NEG_INFINITY]; 3]);
        let table = Tensor::stack(&[masked, ends], 0);
        let config = BeamSearchConfig { eos_token_id: Some(0), num_return_sequences: 4, ..Default::default() };
        let found = beam_search(&Tensor::from_slice2(&[[1i64]]), &config, model(&table));
        assert_eq!(found, [[Hypothesis { tokens: vec![1, 2, 0], score: 0.0 }]]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let prompts = Tensor::from_slice2(&[[0i64]]);
        let config = BeamSearchConfig { num_beams: 2, ..Default::default() };
        let says = |next: Tensor| panic_message(|| beam_search(&prompts, &config, |_| next.shallow_clone()));
        let float = (Kind::Float, Device::Cpu);
        assert!(says(Tensor::zeros([2, 1, 5], float)).contains("[2, 1, 5] for texts of [2, 1]"));
        assert!(says(Tensor::ones([2, 5], float)).contains("log_softmax"));
        assert!(says(Tensor::full([2, 5], f64::NAN, float)).contains("NaN"));
        let one = panic_message(|| beam_search(&prompts.get(0), &config, |texts| texts.shallow_clone()));
        assert!(one.contains("unsqueeze(0)"), "{one}");
        let many = BeamSearchConfig { num_return_sequences: 3, ..config.clone() };
        assert!(panic_message(|| beam_search(&prompts, &many, |texts| texts.shallow_clone())).contains("of 2 beams"));
    }
}
