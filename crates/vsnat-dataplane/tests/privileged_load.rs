//! The programs against this machine's verifier.

use vsnat_dataplane::program_infos;

#[test]
fn the_verifier_accepts_every_program() {
    let infos = program_infos(None).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "vsnat_outer",
            "vsnat_outer_expected",
            "vsnat_outer_choose",
            "vsnat_outer_open",
            "vsnat_outer_send",
            "vsnat_outer_alone",
            "vsnat_outer_refuse",
            "vsnat_outer_part",
            "vsnat_outer_error",
            "vsnat_inner",
            "vsnat_inner_rest",
            "vsnat_inner_part",
            "vsnat_inner_error",
            "vsnat_inner_expected",
            "vsnat_hand_over",
            "vsnat_outer_six",
            "vsnat_inner_six",
            "vsnat_outer_six_error",
            "vsnat_inner_six_error",
            "vsnat_six_out",
            "vsnat_six_error_out",
            "vsnat_arm",
            "vsnat_xdp_outer",
            "vsnat_xdp_inner"
        ]
    );
    for info in infos {
        println!("{}: {} verified", info.name, info.verified_instructions);
    }
}
