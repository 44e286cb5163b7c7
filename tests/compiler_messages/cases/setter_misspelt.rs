use contiguity::NewOtp;

fn main() {
    let _ = NewOtp::to("+14155552671").langauge("en").name("MyApp");
}
