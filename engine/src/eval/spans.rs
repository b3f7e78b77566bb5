//! The place of every key: what the syntax tree knows and values do not.

use std::collections::BTreeMap;

use rhai::AST;
use rhai::ASTNode;
use rhai::Expr;
use rhai::FnAccess;
use rhai::FnCallExpr;
use rhai::Position;
use rhai::Stmt;

use crate::text::SourceText;
use crate::text::Span;

use super::mistake::ValuePath;
use super::vocabulary::Language;

/// What one file's syntax tree says about places and names.
#[derive(Debug)]
pub(super) struct FileIndex {
    /// The file.
    pub text: SourceText,
    /// Which functions of the engine it has.
    pub language: Language,
    /// Its functions.
    pub functions: Vec<ScriptFunction>,
    /// Import alias to the path of the module's file.
    pub imports: BTreeMap<String, String>,
    /// For each call, the values written in its arguments; a later one of the same path wins.
    calls: BTreeMap<(usize, usize), Vec<(ValuePath, Position)>>,
    /// Every key of every map literal.
    keys: Vec<(String, Position)>,
}

/// A function of a script.
#[derive(Debug)]
pub(super) struct ScriptFunction {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub params: Vec<String>,
    /// Whether other files may not call it.
    pub private: bool,
}

/// How deep literals are looked into; deeper ones are reported at the call.
const DEPTH: usize = 16;

impl FileIndex {
    /// The index of a file that did not parse.
    pub fn unparsed(text: SourceText, language: Language) -> Self {
        Self {
            text,
            language,
            functions: Vec::new(),
            imports: BTreeMap::new(),
            calls: BTreeMap::new(),
            keys: Vec::new(),
        }
    }

    /// Walks the tree of a file once.
    pub fn new(text: SourceText, ast: &AST, language: Language) -> Self {
        let mut index = Self::unparsed(text, language);
        index.functions = ast
            .iter_functions()
            .map(|function| ScriptFunction {
                name: function.name.to_owned(),
                params: function
                    .params
                    .iter()
                    .map(|&param| param.to_owned())
                    .collect(),
                private: function.access == FnAccess::Private,
            })
            .collect();
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(
                    ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position))
                    | ASTNode::Stmt(Stmt::FnCall(call, position)),
                ) => index.record_call(call, *position),
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    let keys = map.0.iter().map(|(key, _)| (key.name.to_string(), key.pos));
                    index.keys.extend(keys);
                }
                Some(ASTNode::Stmt(Stmt::Import(import, _))) => {
                    if let (Expr::StringConstant(path, _), alias) = &**import {
                        index
                            .imports
                            .insert(alias.name.to_string(), format!("{path}.rhai"));
                    }
                }
                _ => {}
            }
            true
        });
        index
    }

    fn record_call(&mut self, call: &FnCallExpr, position: Position) {
        let Some(place) = line_column(position) else {
            return;
        };
        let mut written = Vec::new();
        for (argument, expression) in call.args.iter().enumerate() {
            let mut path = vec![argument.to_string()];
            // A mistake in a map as a whole, such as a missing key, is best shown at the call.
            if !matches!(expression, Expr::Map(..)) {
                written.push((path.clone(), expression.start_position()));
            }
            record_literals(expression, &mut path, &mut written);
        }
        self.calls.insert(place, written);
    }

    /// The place of the value at exactly `path` in the call at `position`.
    pub fn value_in_call(&self, position: Position, path: &[String]) -> Option<Position> {
        let written = self.calls.get(&line_column(position)?)?;
        written
            .iter()
            .rev()
            .find(|(known, _)| known == path)
            .map(|(_, place)| *place)
    }

    /// The place of a text, as it is written in quotes, in the call at `position`.
    pub fn text_in_call(&self, position: Position, text: &str) -> Option<Position> {
        let written = self.calls.get(&line_column(position)?)?;
        let quoted = format!("\"{text}\"");
        let mut places = written.iter().map(|(_, place)| *place);
        places.find_map(|place| {
            if self.text.text[self.span(place)] == quoted {
                return Some(place);
            }
            // Of a field the place is that of its key.
            let (line, column) = line_column(place)?;
            let rest = &self.text.text[self.text.offset(line, column)..];
            let (key, value) = rest.split_once(':')?;
            let blanks = value.find(|c| c != ' ')?;
            if key.contains('\n') || !value[blanks..].starts_with(&quoted) {
                return None;
            }
            let column = column + key.chars().count() + 1 + blanks;
            Some(Position::new(
                u16::try_from(line).ok()?,
                u16::try_from(column).ok()?,
            ))
        })
    }

    /// The place of the key in any argument of the call whose path ends most like `path` does.
    pub fn key_in_call(&self, position: Position, path: &[String]) -> Option<Position> {
        let written = self.calls.get(&line_column(position)?)?;
        let wanted = path.get(1..)?;
        let agreeing = |known: &[String]| {
            let known = known.get(1..).unwrap_or_default();
            let whole = known.len() <= wanted.len();
            let same = known
                .iter()
                .rev()
                .zip(wanted.iter().rev())
                .take_while(|(a, b)| a == b);
            // An index alone says nothing.
            let telling = known
                .iter()
                .any(|step| !step.bytes().all(|b| b.is_ascii_digit()));
            if whole && telling && same.count() == known.len() {
                known.len()
            } else {
                0
            }
        };
        written
            .iter()
            .map(|(known, place)| (agreeing(known), *place))
            .filter(|(agreeing, _)| *agreeing > 0)
            .max_by_key(|(agreeing, _)| *agreeing)
            .map(|(_, place)| place)
    }

    /// The places of every key of this name.
    pub fn keys_named(&self, name: &str) -> impl Iterator<Item = Position> {
        self.keys
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, place)| *place)
    }

    /// The bytes of the word, string or sign at a position.
    pub fn span(&self, position: Position) -> Span {
        let (line, column) = line_column(position).unwrap_or((1, 1));
        let start = self.text.offset(line, column);
        let rest = &self.text.text[start..];
        let word = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let length = match rest.chars().next() {
            Some('"') => string_length(rest),
            Some(_) if word > 0 => word,
            Some(sign) if sign != '\n' && sign != '\r' => sign.len_utf8(),
            _ => 0,
        };
        start..start + length
    }
}

fn line_column(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position().unwrap_or(1).max(1)))
}

/// Length of a string literal with its quotes, up to the end of its line.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return index,
            '"' if !escaped => return index + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Notes the place of every key and element below an argument, also through `.extend(#{…})`.
fn record_literals(
    expression: &Expr,
    path: &mut ValuePath,
    written: &mut Vec<(ValuePath, Position)>,
) {
    if path.len() > DEPTH {
        return;
    }
    match expression {
        Expr::Map(map, _) => {
            for (key, value) in &map.0 {
                path.push(key.name.to_string());
                written.push((path.clone(), key.pos));
                record_literals(value, path, written);
                path.pop();
            }
        }
        Expr::Array(items, _) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                written.push((path.clone(), item.start_position()));
                record_literals(item, path, written);
                path.pop();
            }
        }
        Expr::Dot(sides, ..) => {
            record_literals(&sides.lhs, path, written);
            record_literals(&sides.rhs, path, written);
        }
        Expr::FnCall(call, _) | Expr::MethodCall(call, _) => {
            for argument in &call.args {
                record_literals(argument, path, written);
            }
        }
        _ => {}
    }
}
