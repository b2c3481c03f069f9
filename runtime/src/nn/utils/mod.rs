//! What PyTorch has in `torch.nn.utils`.

pub mod rnn;
