use contiguity::NewOtp;
use contiguity::guard::Guarded;

fn send(sign_in: &Guarded) {
    let _ = NewOtp::to("+14155552671").language("en").name("MyApp").send(sign_in);
}

fn main() {}
