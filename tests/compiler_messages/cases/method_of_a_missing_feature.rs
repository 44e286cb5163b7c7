use contiguity::PhoneNumber;

fn is_valid(number: &PhoneNumber) -> bool {
    number.is_valid_in_plan()
}

fn main() {}
