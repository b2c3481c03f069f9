use tch::{Kind, Reduction};

use super::*;
use crate::data::{DataLoader, TensorDataset};
use crate::modes::no_grad;
use crate::nn::{self, Chain, Module, VarStore, seq};
use crate::optim::{CosineAnnealingLR, StepLR};
use crate::reference::Reference;
use crate::train::Outcome;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../../tests/reference/train.json"))
}

/// The store of the script's network, with its first weights, and its data.
struct Case {
    reference: Reference,
    vs: VarStore,
}

fn network(vs: &VarStore) -> crate::nn::Sequential {
    let root = vs.root();
    seq().add(nn::linear(&root / "hidden", 5, 8, Default::default())).tanh().add(nn::linear(
        &root / "out",
        8,
        3,
        Default::default(),
    ))
}

impl Case {
    fn new() -> (Self, crate::nn::Sequential) {
        let (reference, vs) = (reference(), VarStore::new(Device::Cpu));
        let net = network(&vs);
        reference.load("/weights", &vs);
        (Self { reference, vs }, net)
    }

    fn loader(&self, part: &str, batch_size: usize) -> DataLoader<TensorDataset> {
        let (xs, ys) = (self.reference.tensor(&format!("/{part}/x")), self.reference.tensor(&format!("/{part}/y")));
        DataLoader::new(TensorDataset::new(&xs, &ys).expect("pairs"), batch_size)
    }

    fn trainer(&self, config: impl OptimizerConfig, lr: f64) -> Trainer {
        Trainer::new(&self.vs, config, lr).expect("a trainer").quiet()
    }

    fn check(&self, pointer: &str, history: &History) {
        for (name, _) in &history.epochs().last().expect("an epoch").values {
            let expected = self.reference.numbers(&format!("{pointer}/{}", name.replace(' ', "_")));
            let actual = history.values(name);
            assert_eq!(actual.len(), expected.len(), "{pointer} {name}");
            for (actual, expected) in actual.iter().zip(&expected) {
                assert!((actual - expected).abs() < 1e-4, "{pointer} {name}: {actual} instead of {expected}");
            }
        }
    }
}

fn weights(vs: &VarStore) -> Tensor {
    let mut variables: Vec<_> = vs.variables().into_iter().collect();
    variables.sort_by(|(a, _), (b, _)| a.cmp(b));
    Tensor::cat(&variables.iter().map(|(_, variable)| variable.detach().flatten(0, -1)).collect::<Vec<_>>(), 0)
}

#[test]
fn losses_and_accuracies_are_those_of_the_same_loop_in_pytorch() {
    let (case, net) = Case::new();
    let mut trainer =
        case.trainer(nn::Sgd { momentum: 0.9, ..Default::default() }, 0.2).epochs(6).schedule(StepLR::new(0.2, 2, 0.5));
    trainer.fit(&net, &case.loader("train", 16), Some(&case.loader("test", 8))).expect("trains");
    case.check("/sgd", trainer.history());
    assert_eq!(
        trainer.history().epochs().iter().map(|epoch| epoch.lr).collect::<Vec<_>>(),
        [0.2, 0.2, 0.1, 0.1, 0.05, 0.05]
    );
}

#[test]
fn schedules_of_steps_and_clipped_gradients_are_pytorchs() {
    let (case, net) = Case::new();
    let mut trainer = case
        .trainer(nn::Adam::default(), 0.05)
        .epochs(4)
        .schedule_steps(CosineAnnealingLR::new(0.05, 16))
        .clip_grad_norm(0.1);
    trainer.fit(&net, &case.loader("train", 16), None).expect("trains");
    case.check("/adam", trainer.history());
}

#[test]
fn gradients_that_stay_infinite_end_a_mixed_precision_run_and_not_the_next_one() {
    let (case, net) = Case::new();
    let train = case.loader("train", 15);
    // The slope of a root at 0 is infinite, the loss is not.
    let at_zero = |outputs: &Tensor, targets: &Tensor| {
        outputs.cross_entropy_for_logits(targets) + (outputs - outputs.detach()).abs().sqrt().sum(Kind::Float)
    };
    let before = weights(&case.vs);
    let mut trainer = case.trainer(nn::Sgd::default(), 0.1).epochs(10).loss(at_zero);
    // On the CPU nothing is scaled unless a test says so.
    trainer.scaler = Some(LossScaler::new());
    let error = trainer.fit(&net, &train, None).expect_err("no step can be taken");
    assert!(matches!(error, TrainError::Gradients { epoch: 7, batch: 3 }), "{error}");
    assert_eq!(weights(&case.vs), before);
    let mut trainer = trainer.epochs(1).loss(|outputs, targets| outputs.cross_entropy_for_logits(targets));
    trainer.fit(&net, &train, None).expect("trains");
    assert_ne!(weights(&case.vs), before);
}

#[test]
fn averages_are_validated_and_kept_and_training_goes_on_from_the_trained_weights() {
    // What a plain run has after each of its steps.
    let (case, net) = Case::new();
    let train = case.loader("train", 60);
    let mut plain = case.trainer(nn::Sgd::default(), 0.3);
    let mut expected = weights(&case.vs);
    let mut trained = Vec::new();
    for _ in 0..4 {
        plain.fit(&net, &train, None).expect("trains");
        trained.push(weights(&case.vs));
        expected = expected * 0.5 + trained.last().expect("just pushed") * 0.5;
    }
    let (case, net) = Case::new();
    let mut averaged = case.trainer(nn::Sgd::default(), 0.3).epochs(2).ema(0.5);
    for _ in 0..2 {
        averaged.fit(&net, &train, Some(&case.loader("test", 21))).expect("trains");
    }
    assert!(weights(&case.vs).allclose(&expected, 1e-5, 1e-6, false));
    let validated = averaged.history().last("validation loss").expect("was validated");
    let seen = averaged.evaluate(&net, &case.loader("test", 21)).expect("evaluates").values[0].1;
    assert!((validated - seen).abs() < 1e-9, "{validated} instead of {seen}");
    averaged.average(false);
    assert!(weights(&case.vs).allclose(&trained[3], 1e-5, 1e-6, false));
}

#[test]
fn averages_begin_anew_with_the_weights_of_a_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let averaged = |case: &Case| case.trainer(nn::Sgd::default(), 0.3).ema(0.5).checkpoint(folder.path());
    let (case, net) = Case::new();
    averaged(&case).fit(&net, &case.loader("train", 60), None).expect("trains");
    let written = weights(&case.vs);
    let (case, net) = Case::new();
    let mut resumed = averaged(&case);
    assert_eq!(resumed.resume().expect("reads"), 1);
    assert_eq!(weights(&case.vs), written);
    // Steps of a rate of 0 leave both as they are.
    resumed.set_lr(0.0);
    resumed.fit(&net, &case.loader("train", 60), None).expect("trains");
    assert!(weights(&case.vs).allclose(&written, 1e-6, 1e-7, false));
}

#[test]
fn gradients_of_several_batches_are_those_of_a_larger_one() {
    let after = |batch_size, accumulate| {
        let (case, net) = Case::new();
        let mut trainer = case.trainer(nn::Sgd::default(), 0.3).epochs(2).accumulate(accumulate);
        trainer.fit(&net, &case.loader("train", batch_size), None).expect("trains");
        weights(&case.vs)
    };
    assert!(after(15, 2).allclose(&after(30, 1), 1e-5, 1e-6, false));
    assert!(!after(15, 1).allclose(&after(30, 1), 1e-3, 1e-3, false));
    // Four batches in groups of three: the last one stands alone.
    assert!(after(15, 3).isfinite().all().int64_value(&[]) == 1);
}

#[test]
fn early_stopping_ends_the_training_and_brings_the_best_weights_back() {
    let (case, net) = Case::new();
    let valid = case.loader("test", 8);
    // A rate so high that it only gets worse after some time.
    let mut trainer = case.trainer(nn::Sgd::default(), 3.0).epochs(100).early_stopping(3);
    trainer.fit(&net, &case.loader("train", 16), Some(&valid)).expect("trains");
    let losses = trainer.history().values("validation loss");
    let (best, lowest) = losses
        .iter()
        .enumerate()
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(at, loss)| (at, *loss))
        .expect("losses");
    assert_eq!(losses.len(), best + 1 + 3, "{losses:?}");
    assert!(losses.len() < 100, "it should have become worse: {losses:?}");
    let now = trainer.evaluate(&net, &valid).expect("evaluates").get("loss").expect("a loss");
    assert!((now - lowest).abs() < 1e-6, "{now} instead of {lowest}");
}

#[test]
fn a_training_that_is_taken_up_goes_on_as_if_it_had_not_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = nn::AdamW::default().wd(0.1);
    let train = |epochs: usize, resume: bool, folder: &std::path::Path| {
        let (case, net) = Case::new();
        let mut trainer = case.trainer(config, 0.2).schedule_steps(CosineAnnealingLR::new(0.2, 24)).checkpoint(folder);
        let done = if resume { trainer.resume().expect("resumes") } else { 0 };
        let mut trainer = trainer.epochs(epochs - done);
        trainer.fit(&net, &case.loader("train", 16).shuffle(1), None).expect("trains");
        (weights(&case.vs), trainer.history().values("loss"))
    };
    let whole = train(6, false, &folder.path().join("whole"));
    let _ = train(2, true, &folder.path().join("parts"));
    let parts = train(6, true, &folder.path().join("parts"));
    assert!(parts.0.equal(&whole.0));
    // What is written as JSON may differ in the last digit.
    assert_eq!(parts.1.len(), whole.1.len());
    assert!(parts.1.iter().zip(&whole.1).all(|(part, whole)| (part - whole).abs() < 1e-12), "{:?}", parts.1);

    let (case, _) = Case::new();
    let mut other = case.trainer(nn::Sgd::default(), 0.2).checkpoint(folder.path().join("whole"));
    let error = other.resume().expect_err("another optimiser").to_string();
    assert!(error.contains("it is the state of AdamW, and this is SGD"), "{error}");
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (case, net) = Case::new();
    let mut trainer = case.trainer(nn::Sgd::default(), 0.2).checkpoint(folder.path());
    trainer.fit(&net, &case.loader("train", 16), None).expect("trains");
    let before = weights(&case.vs);
    let _ = no_grad(|| case.vs.variables()["out.bias"].shallow_clone().fill_(9.0));
    trainer.load_best().expect("loads");
    assert!(weights(&case.vs).equal(&before));

    let vs = VarStore::new(Device::Cpu);
    let _other = nn::linear(&vs.root() / "hidden", 4, 8, Default::default());
    let error = |trainer: &mut Trainer| trainer.load_best().expect_err("another network").to_string();
    let mut other = Trainer::new(&vs, nn::Sgd::default(), 0.1).expect("a trainer").checkpoint(folder.path());
    assert!(error(&mut other).contains("hidden.weight: [8, 5] there, [8, 4] here"), "{}", error(&mut other));
    std::fs::write(folder.path().join("best.safetensors"), b"short").expect("writes");
    assert!(error(&mut trainer).contains("best.safetensors ends too early for a header"), "{}", error(&mut trainer));
    std::fs::remove_file(folder.path().join("best.safetensors")).expect("removes");
    assert!(error(&mut trainer).contains("cannot read"), "{}", error(&mut trainer));
}

#[test]
fn a_loss_that_is_no_number_ends_the_training_before_it_is_learned() {
    let (case, net) = Case::new();
    let mut batches = 0;
    let mut trainer = case.trainer(nn::Sgd::default(), 0.1);
    let before = weights(&case.vs);
    let error = trainer
        .fit_with(&case.loader("train", 16), None, |(xs, _), _| {
            batches += 1;
            Outcome::new(net.forward(xs).mean(Kind::Float) * if batches == 1 { f64::NAN } else { 1.0 })
        })
        .expect_err("a NaN");
    assert!(error.to_string().starts_with("the loss of batch 1 in epoch 1 is NaN"), "{error}");
    assert!(error.to_string().contains("All weights are finite"), "{error}");
    assert!(weights(&case.vs).equal(&before) && trainer.history().is_empty());
}

#[test]
fn outputs_come_in_the_order_of_the_inputs() {
    let (case, net) = Case::new();
    let trainer = case.trainer(nn::Sgd::default(), 0.1);
    let outputs = trainer.predict(&net, &case.loader("test", 5)).expect("predicts");
    assert!(outputs.allclose(&net.forward(&case.reference.tensor("/test/x")), 1e-6, 1e-6, false));
    assert!(!outputs.requires_grad());
    let empty = DataLoader::new(
        TensorDataset::new(
            &Tensor::zeros([0, 5], (Kind::Float, Device::Cpu)),
            &Tensor::zeros([0], (Kind::Int64, Device::Cpu)),
        )
        .expect("pairs"),
        4,
    );
    assert!(matches!(trainer.predict(&net, &empty), Err(TrainError::Empty)));
}

#[test]
fn nothing_is_trained_if_there_is_nothing_to_validate_with() {
    let (case, net) = Case::new();
    let mut trainer = case.trainer(nn::Sgd::default(), 0.1);
    let (train, empty) = (case.loader("train", 16), case.loader("train", 10_000).drop_last());
    assert!(matches!(trainer.fit(&net, &train, Some(&empty)), Err(TrainError::EmptyValidation)));
    assert_eq!(trainer.steps, 0);
}

#[test]
fn what_is_watched_must_be_measured() {
    let (case, net) = Case::new();
    let mut trainer = case
        .trainer(nn::Sgd::default(), 0.1)
        .loss(|outputs, targets| outputs.cross_entropy_loss(targets, None::<Tensor>, Reduction::Mean, -100, 0.0))
        .monitor("validation accuracy", Better::Higher);
    let error = trainer.fit(&net, &case.loader("train", 16), None).expect_err("not measured").to_string();
    assert_eq!(error, "an epoch does not measure \"validation accuracy\", only \"loss\"");
}

#[test]
fn the_best_checkpoint_stays_when_a_training_that_is_taken_up_gets_worse() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (case, net) = Case::new();
    let (train, valid) = (case.loader("train", 16), case.loader("test", 8));
    let mut trainer = case.trainer(nn::Sgd::default(), 0.2).epochs(6).checkpoint(folder.path());
    trainer.fit(&net, &train, Some(&valid)).expect("trains");
    let lowest = trainer.history().values("validation loss").into_iter().fold(f64::INFINITY, f64::min);

    let mut trainer = case.trainer(nn::Sgd::default(), 0.2).epochs(1).early_stopping(1).checkpoint(folder.path());
    assert_eq!(trainer.resume().expect("resumes"), 6);
    trainer.set_lr(50.0);
    trainer.fit(&net, &train, Some(&valid)).expect("trains");
    let loss = |trainer: &Trainer| trainer.evaluate(&net, &valid).expect("evaluates").get("loss").expect("a loss");
    assert!((loss(&trainer) - lowest).abs() < 1e-6, "the best weights come back: {}", loss(&trainer));
    trainer.load_best().expect("loads");
    assert!((loss(&trainer) - lowest).abs() < 1e-6, "and are in the file: {}", loss(&trainer));
}

#[test]
fn a_further_fit_brings_the_best_weights_of_all_back() {
    let (case, net) = Case::new();
    let valid = case.loader("test", 8);
    let mut trainer = case.trainer(nn::Sgd::default(), 0.2).epochs(6).early_stopping(3);
    trainer.fit(&net, &case.loader("train", 16), Some(&valid)).expect("trains");
    trainer.set_lr(50.0);
    trainer.fit(&net, &case.loader("train", 16), Some(&valid)).expect("trains");
    let lowest = trainer.history().values("validation loss").into_iter().fold(f64::INFINITY, f64::min);
    let now = trainer.evaluate(&net, &valid).expect("evaluates").get("loss").expect("a loss");
    assert!((now - lowest).abs() < 1e-6, "{now} instead of {lowest}");
}

#[test]
fn a_rate_that_fell_on_a_plateau_stays_low_when_the_training_is_taken_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rates = || {
        let (case, net) = Case::new();
        let plateau = ReduceLROnPlateau::new(1e-6).patience(0).threshold(0.5);
        let mut trainer =
            case.trainer(nn::Sgd::default(), 1e-6).epochs(3).reduce_lr_on_plateau(plateau).checkpoint(folder.path());
        trainer.resume().expect("resumes");
        trainer.fit(&net, &case.loader("train", 16), None).expect("trains");
        trainer.history().epochs().iter().map(|epoch| epoch.lr).collect::<Vec<_>>()
    };
    let first = rates();
    let all = rates();
    assert_eq!((&all[..3], all.len()), (&first[..], 6));
    assert!(all.windows(2).all(|pair| pair[1] <= pair[0]) && all[5] < all[2], "{all:?}");
}

#[test]
fn settings_do_not_undo_each_other() {
    let (case, net) = Case::new();
    let own = |_: &Tensor, _: &Tensor| 7.0;
    let squares = |outputs: &Tensor, _: &Tensor| outputs.square().mean(Kind::Float);
    for trainer in [
        case.trainer(nn::Sgd::default(), 0.1).metric("own", own).loss(squares),
        case.trainer(nn::Sgd::default(), 0.1).loss(squares).metric("own", own),
    ] {
        let mut trainer = trainer;
        trainer.fit(&net, &case.loader("train", 16), None).expect("trains");
        let names = trainer.history().epochs()[0].values.iter().map(|(name, _)| name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["loss", "own"]);
    }
    let twice = |add: fn(Trainer) -> Trainer| {
        let trainer = Case::new().0.trainer(nn::Sgd::default(), 0.1).schedule(StepLR::new(0.2, 2, 0.5));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| add(trainer))).expect_err("two rates");
        panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref().map(|text: &&str| (*text).to_owned()))
    };
    for add in [
        |trainer: Trainer| trainer.schedule(StepLR::new(0.1, 2, 0.5)),
        |trainer: Trainer| trainer.schedule_steps(StepLR::new(0.1, 2, 0.5)),
        |trainer: Trainer| trainer.reduce_lr_on_plateau(ReduceLROnPlateau::new(0.1)),
    ] {
        assert!(twice(add).is_some_and(|text| text.contains("follows one of")));
    }
    let mut trained = case.trainer(nn::Sgd::default(), 0.1).schedule(StepLR::new(0.2, 2, 0.5));
    trained.fit(&net, &case.loader("train", 16), None).expect("trains");
    assert!(matches!(trained.schedule_steps(StepLR::new(0.1, 2, 0.5)).rate, Rate::OfSteps(_)));
    let error = case.trainer(nn::Sgd::default(), 0.1).resume().expect_err("no folder").to_string();
    assert!(error.contains("no folder was given"), "{error}");
}

#[test]
fn a_batch_that_is_no_number_leaves_the_statistics_of_a_batch_norm_alone() {
    let vs = VarStore::new(Device::Cpu);
    let net = nn::seq_t().add(nn::batch_norm1d(&vs.root() / "norm", 5, Default::default())).add(nn::linear(
        &vs.root() / "out",
        5,
        3,
        Default::default(),
    ));
    let xs = Tensor::full([16, 5], f64::NAN, (Kind::Float, Device::Cpu));
    let data = TensorDataset::new(&xs, &Tensor::zeros([16], (Kind::Int64, Device::Cpu))).expect("pairs");
    let mut trainer = Trainer::new(&vs, nn::Sgd::default(), 0.1).expect("a trainer").quiet();
    let before = weights(&vs);
    let error = trainer.fit(&net, &DataLoader::new(data, 8), None).expect_err("a NaN").to_string();
    assert!(weights(&vs).equal(&before) && error.contains("All weights are finite"), "{error}");
}
