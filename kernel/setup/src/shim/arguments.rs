//! The shim's wrappers report a failure of libtorch with the function that failed and the shapes and kinds of its
//! tensors: libtorch's own message often names only the two sizes that differ. Those of losses tell of shapes that
//! libtorch broadcasts.

use super::wrappers::{Function, functions, literal, name_in_tch, opaque};

/// What the changed wrappers call, and what the runtime calls besides, for the compiler to read ahead of the source.
pub(super) const HEADER: &str = concat!(
    include_str!("arguments.h"),
    include_str!("broadcasts.h"),
    include_str!("autocast.h"),
    include_str!("fused.h"),
    include_str!("autograd.h"),
    include_str!("memory.h")
);

/// What decides how the shim is compiled, besides its sources.
pub(super) const METHOD: [&str; 3] = [HEADER, include_str!("arguments.rs"), include_str!("wrappers.rs")];

/// The losses of which each prediction has a target of its own, and which broadcast shapes that differ all the same;
/// with whether sizes of 1 count in that. PyTorch warns of the first ones, and refuses those of `binary_cross_entropy`.
/// Not among them is `kl_div`: one distribution for a whole batch is a use of it.
const PAIRING_LOSSES: [(&str, bool); 10] = [
    ("mse_loss", true),
    ("l1_loss", true),
    ("smooth_l1_loss", true),
    ("huber_loss", true),
    ("binary_cross_entropy", false),
    ("binary_cross_entropy_with_logits", true),
    ("soft_margin_loss", true),
    ("hinge_embedding_loss", true),
    ("poisson_nll_loss", true),
    ("margin_ranking_loss", true),
];

/// What such a loss pairs.
const PAIRED: [&str; 5] = ["self", "input", "input1", "input2", "target"];

/// The source with `PROTECT( ... )` written out in each wrapper, line by line as it was.
pub(super) fn report_arguments(source: &str) -> String {
    let mut reporting = String::with_capacity(2 * source.len());
    let mut done = 0;
    for function in functions(source).iter().filter(|function| function.is_wrapper()) {
        let tensors = tensors(&source[function.whole.start..function.body.start]);
        let Some((from, to)) = protected(source, function) else { continue };
        let name = literal(name_in_tch(function.name).trim_start_matches("at_").trim_end_matches('_'));
        reporting += &source[done..from];
        reporting += "try {";
        reporting += &source[from + PROTECT.len()..to];
        reporting += &watch_broadcast(function.name, &source[function.whole.start..function.body.start]);
        let arguments =
            if tensors.is_empty() { String::new() } else { format!(", {name}, {{{}}}", tensors.join(", ")) };
        reporting += "} catch (const std::exception &error) { torch_last_err = oxtorch::report(error";
        reporting += &format!("{arguments}); }}");
        done = to + 1;
    }
    reporting + &source[done..]
}

const PROTECT: &str = "PROTECT(";

/// Where the first `PROTECT(` of a function begins, and where its parenthesis closes.
fn protected(source: &str, function: &Function<'_>) -> Option<(usize, usize)> {
    let from = function.body.start + source[function.body.clone()].find(PROTECT)?;
    let mut depth = 0_usize;
    let mut at = from;
    while at < function.body.end {
        match source.as_bytes()[at] {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some((from, at)),
            b')' => depth -= 1,
            _ => {}
        }
        at += opaque(&source[at..]).max(1);
    }
    None
}

/// The statement by which the wrapper of a loss has shapes that differ told of, once it was computed; nothing for other
/// wrappers.
fn watch_broadcast(wrapper: &str, head: &str) -> String {
    let name = name_in_tch(wrapper);
    let loss = PAIRING_LOSSES.iter().find(|(loss, _)| name.strip_suffix("_out").unwrap_or(&name) == *loss);
    let Some((_, ones_count)) = loss else { return String::new() };
    let paired: Vec<&str> =
        PAIRED.into_iter().filter(|parameter| head.contains(&format!("tensor {parameter},"))).collect();
    format!("oxtorch::watch_broadcast({}, {ones_count}, {{{}}});", literal(&name), paired.join(", "))
}

/// What is reported of each tensor, and each list of tensors, that a function takes; not of those that it fills.
fn tensors(head: &str) -> Vec<String> {
    let parameters = head.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or("", |(inside, _)| inside);
    let tensor = |parameter: &str| {
        let name = parameter.trim().strip_prefix("tensor ")?.trim();
        Some(match name.strip_prefix('*') {
            Some("out__") => return None,
            Some(data) => {
                let list = data.strip_suffix("_data")?;
                format!("{{\"{list}\", {data}, {list}_len, true}}")
            }
            None => format!("{{\"{name}\", &{name}, 1, false}}"),
        })
    };
    parameters.split(',').filter_map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a wrapper pairs is read from its parameters.
    #[test]
    fn losses_tell_of_all_that_they_pair() {
        let head =
            "void atg_margin_ranking_loss(tensor *out__, tensor input1, tensor input2, tensor target, double margin) ";
        let expected = "oxtorch::watch_broadcast(\"margin_ranking_loss\", true, {input1, input2, target});";
        assert_eq!(watch_broadcast("atg_margin_ranking_loss", head), expected);
        let head = "void atg_binary_cross_entropy(tensor *out__, tensor self, tensor target, tensor weight, int64_t reduction) ";
        let expected = "oxtorch::watch_broadcast(\"binary_cross_entropy\", false, {self, target});";
        assert_eq!(watch_broadcast("atg_binary_cross_entropy", head), expected);
        for other in ["atg_mse_loss_backward", "atg_sub", "atg_kl_div"] {
            assert_eq!(watch_broadcast(other, head), "");
        }
    }

    #[test]
    fn wrappers_that_take_tensors_report_them() {
        let source = r#"#include "lib.h"
void atg_add_(tensor *out__, tensor self, tensor other) {
  PROTECT(
    auto outputs__ = self->add_(*other); // :)
    out__[0] = new torch::Tensor(outputs__);
  )
}

tensor *atg_chunk(tensor self, int64_t chunks) {
  PROTECT(return f(*self);)
  return nullptr;
}

void atg_cat(tensor *out__, tensor *tensors_data, int tensors_len, int64_t dim) {
  PROTECT(
    out__[0] = cat(tensors_data);
  )
}

void atg_arange(tensor *out__, scalar end) {
  PROTECT(
    out__[0] = arange(*end);
  )
}

void atg_mse_loss_out(tensor *out__, tensor out, tensor self, tensor target, int64_t reduction) {
  PROTECT(
    out__[0] = f(*out, *self, *target);
  )
}
"#;
        let expected = r#"#include "lib.h"
void atg_add_(tensor *out__, tensor self, tensor other) {
  try {
    auto outputs__ = self->add_(*other); // :)
    out__[0] = new torch::Tensor(outputs__);
  } catch (const std::exception &error) { torch_last_err = oxtorch::report(error, "add", {{"self", &self, 1, false}, {"other", &other, 1, false}}); }
}

tensor *atg_chunk(tensor self, int64_t chunks) {
  try {return f(*self);} catch (const std::exception &error) { torch_last_err = oxtorch::report(error, "chunk", {{"self", &self, 1, false}}); }
  return nullptr;
}

void atg_cat(tensor *out__, tensor *tensors_data, int tensors_len, int64_t dim) {
  try {
    out__[0] = cat(tensors_data);
  } catch (const std::exception &error) { torch_last_err = oxtorch::report(error, "cat", {{"tensors", tensors_data, tensors_len, true}}); }
}

void atg_arange(tensor *out__, scalar end) {
  try {
    out__[0] = arange(*end);
  } catch (const std::exception &error) { torch_last_err = oxtorch::report(error); }
}

void atg_mse_loss_out(tensor *out__, tensor out, tensor self, tensor target, int64_t reduction) {
  try {
    out__[0] = f(*out, *self, *target);
  oxtorch::watch_broadcast("mse_loss_out", true, {self, target});} catch (const std::exception &error) { torch_last_err = oxtorch::report(error, "mse_loss_out", {{"out", &out, 1, false}, {"self", &self, 1, false}, {"target", &target, 1, false}}); }
}
"#;
        assert_eq!(report_arguments(source), expected);
    }
}
