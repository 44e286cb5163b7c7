use contiguity::{Language, NewOtp};

fn main() {
    let _ = NewOtp::to("+14155552671").language(Language::Englsih);
}
