//! Blackjack against a dealer: Blackjack-v1.

use tch::Tensor;

use crate::rl::canvas::{BLUE, Canvas, INK, RED};
use crate::rl::env::{Env, Episode, Space, Step, names};

const HIT: usize = 1;
const BEST: usize = 21;
/// The dealer draws below this sum.
const DEALER_STICKS: usize = 17;
const CARD: (f64, f64) = (44.0, 64.0);

/// What a natural is worth, an ace and a ten on the first two cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlackjackRules {
    /// It wins, unless the dealer has one too: the rules of Sutton and Barto, and Gymnasium's `sab=True`, which is the
    /// default of Blackjack-v1.
    SuttonBarto,
    /// A win with it is worth 1.5: Gymnasium's `natural=True`.
    Natural,
    /// As much as any other hand of 21: Gymnasium's `natural=False, sab=False`.
    Plain,
}

/// The game of cards of example 5.1 in Sutton and Barto's "Reinforcement Learning", with an endless deck.
///
/// Observation `(sum, dealer, ace)`: the player's sum below 32, the dealer's open card (1 to 10, where 1 is the ace),
/// and 1 where an ace counts 11, else 0. Action 0 sticks, 1 hits. A game that is won is worth 1, one that is lost -1.
/// As in Gymnasium, there is no limit of steps.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::blackjack();
/// let mut wins = 0;
/// for seed in 0..100 {
///     let (mut sum, _dealer, _ace) = env.reset(seed);
///     let last = loop {
///         let step = env.step(if sum < 17 { 1 } else { 0 });
///         if step.done() { break step }
///         sum = step.observation.0;
///     };
///     wins += if last.reward > 0.0 { 1 } else { 0 };
/// }
/// assert!((25..60).contains(&wins));
/// ```
#[derive(Debug, Clone)]
pub struct Blackjack {
    hands: Hands,
    rules: BlackjackRules,
    episode: Episode,
}

#[derive(Debug, Clone, Default)]
struct Hands {
    player: Vec<usize>,
    dealer: Vec<usize>,
}

/// Blackjack-v1, by the rules of Sutton and Barto.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::blackjack();
/// let (sum, dealer, ace) = env.reset(7);
/// assert!((4..=21).contains(&sum) && (1..=10).contains(&dealer) && ace < 2);
/// image(&env.render())?;
/// ```
pub fn blackjack() -> Blackjack {
    Blackjack::new(BlackjackRules::SuttonBarto)
}

impl Blackjack {
    /// To be [reset](Env::reset) before the first step.
    pub fn new(rules: BlackjackRules) -> Self {
        Self { hands: Hands::default(), rules, episode: Episode::none() }
    }

    /// The player's cards, 1 to 10.
    pub fn player(&self) -> &[usize] {
        &self.hands.player
    }

    /// The dealer's cards, of which the player sees the first.
    pub fn dealer(&self) -> &[usize] {
        &self.hands.dealer
    }

    /// Begins an episode with cards of one's own, 1 to 10; further ones are drawn by the seed.
    ///
    /// # Panics
    ///
    /// Where a hand has fewer than two cards, or a card is none.
    pub fn set_hands(&mut self, player: &[usize], dealer: &[usize], seed: u64) {
        for hand in [player, dealer] {
            let is_one = hand.len() >= 2 && hand.iter().all(|card| (1..=10).contains(card));
            assert!(is_one, "{hand:?} is no hand: give two cards or more, each 1 (the ace) to 10");
        }
        self.episode.begin(seed);
        self.hands = Hands { player: player.to_vec(), dealer: dealer.to_vec() };
    }
}

impl Hands {
    fn observation(&self) -> (usize, usize, usize) {
        (sum(&self.player), self.dealer.first().copied().unwrap_or(0), usize::from(has_usable_ace(&self.player)))
    }

    /// Plays with cards from `draw`: the reward and whether the game is over.
    fn play(&mut self, rules: BlackjackRules, action: usize, mut draw: impl FnMut() -> usize) -> (f64, bool) {
        if action == HIT {
            self.player.push(draw());
            let is_bust = sum(&self.player) > BEST;
            return (if is_bust { -1.0 } else { 0.0 }, is_bust);
        }
        while sum(&self.dealer) < DEALER_STICKS {
            self.dealer.push(draw());
        }
        let (player, dealer) = (score(&self.player), score(&self.dealer));
        let reward = f64::from(i8::from(player > dealer) - i8::from(player < dealer));
        let naturals = (is_natural(&self.player), is_natural(&self.dealer));
        let reward = match (rules, naturals) {
            (BlackjackRules::SuttonBarto, (true, false)) => 1.0,
            (BlackjackRules::Natural, (true, _)) if reward == 1.0 => 1.5,
            _ => reward,
        };
        (reward, true)
    }
}

/// Jack, queen and king count 10, as the ten does.
fn card(episode: &mut Episode) -> usize {
    (episode.index(13) + 1).min(10)
}

fn has_usable_ace(hand: &[usize]) -> bool {
    hand.contains(&1) && hand.iter().sum::<usize>() + 10 <= BEST
}

fn sum(hand: &[usize]) -> usize {
    hand.iter().sum::<usize>() + if has_usable_ace(hand) { 10 } else { 0 }
}

/// 0 above 21.
fn score(hand: &[usize]) -> usize {
    Some(sum(hand)).filter(|sum| *sum <= BEST).unwrap_or(0)
}

fn is_natural(hand: &[usize]) -> bool {
    matches!(hand, [1, 10] | [10, 1])
}

impl Env for Blackjack {
    type Action = usize;
    type Observation = (usize, usize, usize);

    fn reset(&mut self, seed: u64) -> Self::Observation {
        self.episode.begin(seed);
        let mut hand = || vec![card(&mut self.episode), card(&mut self.episode)];
        self.hands = Hands { dealer: hand(), player: hand() };
        self.hands.observation()
    }

    fn step(&mut self, action: usize) -> Step<Self::Observation> {
        self.episode.check_action(action, 2);
        let (reward, is_over) = self.hands.play(self.rules, action, || card(&mut self.episode));
        self.episode.end_if(is_over);
        Step::new(self.hands.observation(), reward, is_over)
    }

    fn observation_space(&self) -> Space {
        Space::Tuple([32, 11, 2].map(Space::Discrete).to_vec())
    }

    fn action_space(&self) -> Space {
        Space::Discrete(2)
    }

    fn action_names(&self) -> Vec<String> {
        names(&["stick", "hit"])
    }

    fn render(&self) -> Tensor {
        let Hands { player, dealer } = &self.hands;
        let width = CARD.0 + 10.0;
        let most = player.len().max(dealer.len()).max(4);
        let mut canvas = Canvas::new((most as f64 * width + 10.0) as u32, 158, [62, 124, 90]);
        // The second card of the dealer lies face down until the game is over.
        let is_hidden = |at: usize| at == 1 && !self.episode.is_over();
        for (at, card) in dealer.iter().enumerate() {
            draw_card(&mut canvas, (10.0 + at as f64 * width, 10.0), Some(*card).filter(|_| !is_hidden(at)));
        }
        for (at, card) in player.iter().enumerate() {
            draw_card(&mut canvas, (10.0 + at as f64 * width, 84.0), Some(*card));
        }
        canvas.tensor()
    }
}

/// A card with as many pips as it counts, the ace with a large one; or its back.
fn draw_card(canvas: &mut Canvas, (x, y): (f64, f64), card: Option<usize>) {
    canvas.rectangle((x, y), (x + CARD.0, y + CARD.1), [252, 252, 250]);
    match card {
        None => canvas.rectangle((x + 4.0, y + 4.0), (x + CARD.0 - 4.0, y + CARD.1 - 4.0), BLUE),
        Some(1) => canvas.circle((x + CARD.0 / 2.0, y + CARD.1 / 2.0), 11.0, RED),
        Some(pips) => {
            for pip in 0..pips {
                let (row, column) = (pip / 2, pip % 2);
                // An odd one stands in the middle of its row.
                let across = if pip + 1 == pips && column == 0 { 0.5 } else { 0.3 + 0.4 * column as f64 };
                canvas.circle((x + CARD.0 * across, y + 9.0 + 11.5 * row as f64), 4.0, INK);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;
    use crate::tests::panic_message;

    #[test]
    fn games_with_the_same_cards_end_as_in_gymnasium() {
        let reference = rl::tests::toy_reference();
        for (name, rules) in [
            ("sab", BlackjackRules::SuttonBarto),
            ("natural", BlackjackRules::Natural),
            ("plain", BlackjackRules::Plain),
        ] {
            let games = reference.value(&format!("/blackjack/{name}")).as_array().expect("games").len();
            for game in 0..games {
                let at = |part: &str| reference.numbers(&format!("/blackjack/{name}/{game}/{part}"));
                let whole = |part: &str| -> Vec<usize> { at(part).into_iter().map(|card| card as usize).collect() };
                let mut cards = whole("cards").into_iter();
                let mut env = Blackjack::new(rules);
                let dealer = [(); 2].map(|()| cards.next().expect("a card"));
                let player = [(); 2].map(|()| cards.next().expect("a card"));
                env.set_hands(&player, &dealer, 0);
                let mut steps = Vec::new();
                for action in whole("actions") {
                    let (reward, is_over) =
                        env.hands.play(rules, action, || cards.next().expect("as many as Gymnasium drew"));
                    let (sum, dealer, ace) = env.hands.observation();
                    steps.extend([sum as f64, dealer as f64, ace as f64, reward, f64::from(u8::from(is_over))]);
                }
                assert_eq!(steps, at("steps"), "{name} {game}");
                assert_eq!(cards.next(), None);
            }
            assert!(games > 50);
        }
    }

    #[test]
    fn cards_are_drawn_as_often_as_they_are_in_a_deck() {
        let (mut env, mut counts) = (blackjack(), [0; 11]);
        for seed in 0..5000 {
            env.reset(seed);
            env.player().iter().chain(env.dealer()).for_each(|card| counts[*card] += 1);
        }
        // 20,000 cards: 1538 of each kind, with a deviation of 38; four kinds count ten.
        assert!(counts[0] == 0 && counts[1..10].iter().all(|count| (1350..1750).contains(count)), "{counts:?}");
        assert!((5850..6450).contains(&counts[10]), "{counts:?}");
    }

    #[test]
    fn what_is_no_hand_and_a_step_after_the_end_are_refused() {
        let mut env = blackjack();
        assert!(panic_message(|| blackjack().set_hands(&[1, 11], &[2, 3], 0)).contains("[1, 11] is no hand"));
        assert!(panic_message(|| blackjack().step(0)).contains("no episode has begun"));
        env.set_hands(&[10, 9], &[10, 8], 0);
        let hidden = env.render();
        assert_eq!((env.step(0).reward, env.render().size()), (1.0, vec![3, 158, 226]));
        assert!(!hidden.equal(&env.render()));
        assert!(panic_message(|| env.step(0)).contains("the episode is over"));
        assert_eq!((env.observation_space().len(), env.action_names()), (45, names(&["stick", "hit"])));
    }
}
