use contiguity::Status;

fn describe(status: &Status) -> &str {
    match status {
        Status::Pending => "pending",
        Status::Verified => "verified",
        Status::Cancelled => "cancelled",
        Status::Expired => "expired",
    }
}

fn main() {}
