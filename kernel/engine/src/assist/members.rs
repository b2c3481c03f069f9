//! What a type has, in the same terms for the session's types and those of all libraries.

use oxtorch_session::CandidateKind as Kind;

/// Something behind `value.` or `Type::`, or a name in a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// With a `!` behind a macro's name.
    pub name: String,
    pub kind: Kind,
    /// As declared; empty where the name says it all.
    pub signature: String,
}

impl Member {
    /// A function or constant, by its declaration.
    pub fn declared(name: String, signature: String) -> Self {
        let is_function = signature.contains("fn ");
        Self { name, kind: if is_function { Kind::Function } else { Kind::Instance }, signature }
    }

    /// A variant of an enum, as declared there.
    pub fn variant(declared: &str) -> Self {
        let name = declared.split(['(', '{', ' ']).next().unwrap_or(declared).to_owned();
        let signature = if name == declared { "" } else { declared };
        Self { kind: Kind::Class, signature: signature.to_owned(), name }
    }

    pub fn is_variant(&self) -> bool {
        self.kind == Kind::Class
    }

    /// Whether it is called on a value: its first parameter is `self`, by reference or not.
    pub fn takes_self(&self) -> bool {
        let first = self.parameters().split([',', ')', ':']).next().unwrap_or_default();
        self.kind == Kind::Function && first.ends_with("self")
    }

    /// What stands behind the first bracket of a function's parameters, which may follow bounds with brackets.
    fn parameters(&self) -> &str {
        let mut generics = 0;
        let mut before = ' ';
        let open = self.signature.find(|char| {
            match char {
                '<' => generics += 1,
                '>' if before != '-' => generics -= 1,
                _ => {}
            }
            before = char;
            char == '(' && generics == 0
        });
        open.map_or("", |open| &self.signature[open + 1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_takes_self_whatever_its_bounds() {
        let takes_self = |text: &str| Member::declared("f".into(), text.into()).takes_self();
        for method in
            ["fn f(&self)", "pub fn f(mut self, x: f64)", "fn f<F: FnOnce() -> V>(self, f: F)", "fn f(&'a self)"]
        {
            assert!(takes_self(method), "{method}");
        }
        for function in ["fn f(x: f64)", "fn f()", "const MAX: f64", "fn f<F: Fn(self)>(x: F)"] {
            assert!(!takes_self(function), "{function}");
        }
    }

    #[test]
    fn a_variant_tells_its_fields() {
        let cuda = Member::variant("Cuda(usize)");
        assert_eq!((cuda.name.as_str(), cuda.signature.as_str()), ("Cuda", "Cuda(usize)"));
        assert_eq!(Member::variant("Cpu").signature, "");
    }
}
