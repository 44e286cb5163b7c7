use contiguity::NewOtp;

fn main() {
    let _ = NewOtp::to("+14155552671").language('e');
}
