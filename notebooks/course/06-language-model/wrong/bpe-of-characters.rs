//! Tokens are made back into text one by one, so that a character that is divided between tokens is lost.
//! fails: test-decode

// cell: bpe
/// The first `count` merges that byte pair encoding learns from `text`.
fn learn_bpe(text: &str, count: usize) -> Vec<(u32, u32)> {
    let mut words = counted_pieces(text);
    let mut merges = vec![];
    while merges.len() < count {
        let Some(pair) = most_frequent(&words) else { break };
        let new = 256 + merges.len() as u32;
        for (word, _) in &mut words {
            *word = merged(word, pair, new);
        }
        merges.push(pair);
    }
    merges
}

/// The tokens of `text`.
fn encode(text: &str, merges: &[(u32, u32)]) -> Vec<u32> {
    let mut tokens = vec![];
    for piece in pieces(text) {
        let bytes: Vec<u32> = piece.bytes().map(u32::from).collect();
        tokens.extend(merges.iter().zip(256..).fold(bytes, |word, (&pair, new)| merged(&word, pair, new)));
    }
    tokens
}

/// The text of `tokens`.
fn decode(tokens: &[u32], merges: &[(u32, u32)]) -> String {
    fn bytes(token: u32, merges: &[(u32, u32)]) -> Vec<u8> {
        match token.checked_sub(256) {
            None => vec![token as u8],
            Some(number) => {
                let (left, right) = merges[number as usize];
                [bytes(left, merges), bytes(right, merges)].concat()
            }
        }
    }
    tokens.iter().map(|&token| String::from_utf8_lossy(&bytes(token, merges)).into_owned()).collect()
}
