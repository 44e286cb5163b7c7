use contiguity::{InitiateReverseOtp, Service};

fn main() {
    let _ = InitiateReverseOtp::number("+14155552671").service(Service::Imessage);
}
