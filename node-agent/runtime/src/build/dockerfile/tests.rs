//! What is read, what is refused, and that nothing makes the parser panic.

use super::*;
use proptest::prelude::*;

fn steps(text: &str) -> Vec<Instruction> {
    let file = parse(&format!("FROM scratch\n{text}\n")).unwrap();
    file.stages[0].steps.iter().map(|s| s.what.clone()).collect()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[test]
fn stages_have_bases_names_and_steps() {
    let text = "# a comment\nARG V=1\nFROM --platform=linux/amd64 base:$V AS Build\n\nRUN make \\\n  # inside\n\n  all\n\
        from scratch\nCOPY --from=build /out /\n";
    let file = parse(text).unwrap();
    assert_eq!(file.args.len(), 1);
    let [build, last] = file.stages.as_slice() else { panic!("{file:?}") };
    assert_eq!((build.line, build.base.as_str(), build.name.as_deref()), (3, "base:$V", Some("build")));
    assert_eq!(build.platform.as_deref(), Some("linux/amd64"));
    assert_eq!(build.steps[0].line, 5);
    assert_eq!(build.steps[0].what, Instruction::Run(Command::Shell("make   all".into())));
    assert_eq!((last.base.as_str(), last.name.as_deref(), last.steps.len()), ("scratch", None, 1));
}

#[test]
fn commands_are_for_the_shell_or_for_the_kernel() {
    let found = steps("RUN [\"a\", \"b c\"]\nCMD [not json\nENTRYPOINT exec top -b\nSHELL [\"/bin/ash\", \"-c\"]");
    assert_eq!(found[0], Instruction::Run(Command::Exec(strings(&["a", "b c"]))));
    assert_eq!(found[1], Instruction::Cmd(Command::Shell("[not json".into())));
    assert_eq!(found[2], Instruction::Entrypoint(Command::Shell("exec top -b".into())));
    assert_eq!(found[3], Instruction::Shell(strings(&["/bin/ash", "-c"])));
}

#[test]
fn pairs_and_lists_are_split() {
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(
        steps("ENV A=1 B=\"two words\" C=x\\ y\nENV OLD all the rest\nLABEL \"k\"=v"),
        [
            Instruction::Env(vec![pair("A", "1"), pair("B", "\"two words\""), pair("C", "x\\ y")]),
            Instruction::Env(vec![pair("OLD", "all the rest")]),
            Instruction::Label(vec![pair("\"k\"", "v")]),
        ]
    );
    assert_eq!(
        steps("EXPOSE 80 53/udp\nVOLUME [\"/a b\"]\nARG X\nARG Y=1 Z=\"2 3\""),
        [
            Instruction::Expose(strings(&["80", "53/udp"])),
            Instruction::Volume(strings(&["/a b"])),
            Instruction::Arg(vec![("X".into(), None)]),
            Instruction::Arg(vec![("Y".into(), Some("1".into())), ("Z".into(), Some("\"2 3\"".into()))]),
        ]
    );
}

#[test]
fn health_is_checked_by_a_command() {
    let found =
        steps("HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD wget -q localhost\nHEALTHCHECK NONE");
    let check = Check { interval: 90_000_000_000, timeout: 500_000_000, retries: 4, ..Check::default() };
    assert_eq!(found[0], Instruction::Healthcheck(Some((Command::Shell("wget -q localhost".into()), check))));
    assert_eq!(found[1], Instruction::Healthcheck(None));
}

#[test]
fn the_escape_character_can_be_chosen() {
    let file = parse("# escape=`\nFROM scratch\nRUN a `\n b\\\n").unwrap();
    assert_eq!(file.stages[0].steps[0].what, Instruction::Run(Command::Shell("a  b\\".into())));
}

#[test]
fn bad_files_are_refused_with_the_line_and_what_to_do() {
    for (text, line, what) in [
        ("", 1, "no FROM"),
        ("RUN x\nFROM scratch", 1, "before the first FROM"),
        ("FROM scratch\nFORM x", 2, "\"FORM\" is not an instruction"),
        ("FROM", 1, "FROM takes an image"),
        ("FROM a AS", 1, "FROM takes an image"),
        ("FROM a AS 1x", 1, "not a name of a stage"),
        ("FROM a AS x\nFROM b AS X", 2, "a stage x already"),
        ("FROM scratch\n\nRUN", 3, "no command"),
        ("FROM scratch\nRUN --mount=type=cache,target=/x y", 2, "--mount is not supported"),
        ("FROM scratch\nRUN cat <<EOF\nx\nEOF", 2, "here-documents"),
        ("FROM scratch\nCOPY a", 2, "a source and a target"),
        ("FROM scratch\nCOPY a b c", 2, "must be a folder and end with /"),
        ("FROM scratch\nCOPY --from a b", 2, "--from needs a value"),
        ("FROM scratch\nADD https://example.test/x /x", 2, "URL"),
        ("FROM scratch\nENV A", 2, "has no value"),
        ("FROM scratch\nENV A=1 B", 2, "name=value"),
        ("FROM scratch\nENV A=\"1", 2, "quote"),
        ("FROM scratch\nARG 1=x", 2, "not a name"),
        ("FROM scratch\nSHELL /bin/sh", 2, "JSON"),
        ("FROM scratch\nHEALTHCHECK wget", 2, "NONE, or CMD"),
        ("FROM scratch\nHEALTHCHECK --interval=5 CMD x", 2, "not a duration"),
        ("FROM scratch\nONBUILD RUN x", 2, "ONBUILD"),
        ("# escape=x\nFROM scratch", 1, "escape must be"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(error.what.contains(what), "{text:?}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(?s).{0,300}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.line >= 1 && error.line <= text.lines().count().max(1));
        }
    }

    #[test]
    fn no_mixture_of_its_words_makes_the_parser_panic(
        words in proptest::collection::vec(
            prop::sample::select(vec![
                "FROM", "scratch", "AS", "RUN", "COPY", "ADD", "ENV", "ARG", "HEALTHCHECK", "CMD", "NONE", "--from=x",
                "--interval=1.5h", "a=b", "\"", "'", "\\", "\\\n", "\n", " ", "$A", "${A:-", "}", "[\"x\"]", "<<EOF", "#", "µs",
            ]),
            0..40,
        ),
    ) {
        let text = words.concat();
        if let Err(error) = parse(&text) {
            prop_assert!(error.line >= 1 && error.line <= text.lines().count().max(1), "{error}");
        }
    }

    #[test]
    fn comments_blank_lines_and_continuations_do_not_change_what_is_read(
        parts in proptest::collection::vec("[a-z]{1,8}", 1..6),
    ) {
        let plain = format!("FROM scratch\nRUN {}\n", parts.join(" "));
        let broken = format!("\n# x\nFROM scratch\n\nRUN {}\n# end\n", parts.join(" \\\n# between\n\n"));
        let what = |text: &str| parse(text).unwrap().stages[0].steps[0].what.clone();
        prop_assert_eq!(what(&plain), what(&broken));
    }
}
