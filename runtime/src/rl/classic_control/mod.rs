//! Environments that move by the laws of mechanics: Gymnasium's classic control.

mod acrobot;
mod cart_pole;
mod mountain_car;
mod pendulum;

pub use acrobot::{Acrobot, acrobot};
pub use cart_pole::{CartPole, cart_pole};
pub use mountain_car::{MountainCar, MountainCarContinuous, mountain_car, mountain_car_continuous};
pub use pendulum::{Pendulum, pendulum};
