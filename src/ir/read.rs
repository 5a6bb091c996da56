//! Text to graph: reads what [`super::text`] writes.
//!
//! In: a text, printed or written by a person (numbers of nodes may be left out, `#` and `//` start a comment). Out: the graph, or the
//! line and what is wrong there; never a panic. The graph is not verified.

mod cursor;
mod size;
#[cfg(test)]
mod tests;

use super::tokens::{Token, tokens};
use super::{Axis, Body, DType, Dist, Fold, Graph, Map, Node, NodeId, Op, Operand, Origin, Output, OutputKind, Pick, Size};
use std::collections::BTreeMap;
use std::fmt;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadError {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ReadError {}

/// How deep bodies and parentheses may nest.
const DEPTH: usize = 64;

type Read<T> = Result<T, ReadError>;

/// Reads a graph.
pub fn read(text: &str) -> Read<Graph> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let graph = parser.graph(0)?;
    match parser.peek() {
        None => Ok(graph),
        Some(token) => Err(parser.error(format!("unexpected {}", token.show()))),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
}

/// The node numbers of one graph's text.
type Numbers = BTreeMap<usize, NodeId>;

/// A node under construction: what subscripts can name.
struct Scope<'a> {
    graph: &'a Graph,
    numbers: &'a Numbers,
    loops: Vec<Axis>,
    operands: Vec<Operand>,
}

impl Parser {
    /// All lines up to the end or a closing brace.
    fn graph(&mut self, depth: usize) -> Read<Graph> {
        if depth > DEPTH {
            return Err(self.error("loops nest too deeply"));
        }
        let (mut graph, mut numbers) = (Graph::default(), Numbers::new());
        while let Some(token) = self.peek().cloned() {
            match token {
                Token::Sign('}') => break,
                Token::Node(_) => self.node(&mut graph, &mut numbers, depth)?,
                Token::Word(word) => {
                    self.at += 1;
                    let kind = OutputKind::ALL.iter().find(|k| k.word() == word);
                    if kind.is_none() && word != "size" {
                        self.at -= 1;
                        return self.expected("a node, `output`, `loss`, `update` or `size`");
                    }
                    let name = self.name("a name")?;
                    self.need('=')?;
                    let node = self.known(&numbers)?;
                    match kind {
                        Some(kind) => graph.outputs.push(Output { name, kind: *kind, node }),
                        None => graph.measured.push((name, node)),
                    }
                }
                _ => return self.expected("a node or an output"),
            }
            self.end()?;
        }
        Ok(graph)
    }

    fn known(&mut self, numbers: &Numbers) -> Read<NodeId> {
        let n = self.node_number()?;
        match numbers.get(&n) {
            Some(id) => Ok(*id),
            None => {
                self.at -= 1;
                Err(self.error(format!("there is no %{n} before this")))
            }
        }
    }

    /// `%7 name: f32[b, o=10] = op`
    fn node(&mut self, graph: &mut Graph, numbers: &mut Numbers, depth: usize) -> Read<()> {
        let number = self.node_number()?;
        if numbers.contains_key(&number) {
            return Err(self.error(format!("%{number} stands here twice")));
        }
        let name = match self.peek() {
            Some(Token::Sign(':')) => None,
            _ => Some(self.name("a name or `:`")?),
        };
        self.need(':')?;
        let word = self.word("an element type")?;
        let dtype = [DType::F32, DType::I32, DType::Bool].into_iter().find(|d| d.word() == word);
        let dtype = dtype.ok_or_else(|| self.error(format!("`{word}` is no element type")))?;
        let mut shape = Vec::new();
        if self.sign('[') {
            self.axes(']', &mut shape)?;
        }
        self.need('=')?;
        let rank = shape.len();
        let mut scope = Scope { graph, numbers, loops: shape, operands: Vec::new() };
        let op = self.op(&mut scope, depth)?;
        let Scope { mut loops, operands, .. } = scope;
        let inner = loops.split_off(rank);
        let mut node = Node::new(op, dtype, loops);
        (node.inner, node.name) = (inner, name);
        numbers.insert(number, graph.add(node, operands));
        Ok(())
    }

    /// `b, o=10` up to a closing sign.
    fn axes(&mut self, close: char, out: &mut Vec<Axis>) -> Read<()> {
        while !self.sign(close) {
            let name = self.name("the name of an axis")?;
            if out.iter().any(|a| a.name == name) {
                return Err(self.error(format!("the axis `{name}` stands here twice")));
            }
            let size = if self.sign('=') { self.size(0)? } else { Size::sym(name.clone()) };
            out.push(Axis { name, size });
            if !self.sign(',') && self.peek() != Some(&Token::Sign(close)) {
                return self.expected(&format!("`,` or `{close}`"));
            }
        }
        Ok(())
    }

    /// `(i=32)`
    fn inner(&mut self, scope: &mut Scope) -> Read<()> {
        if self.sign('(') { self.axes(')', &mut scope.loops) } else { Ok(()) }
    }

    fn axis(&mut self, scope: &Scope) -> Read<usize> {
        let name = self.name("the name of a loop")?;
        match scope.loops.iter().position(|a| a.name == name) {
            Some(k) => Ok(k),
            None => Err(self.error(format!("there is no loop `{name}` here"))),
        }
    }

    /// `%3[b, i]`
    fn operand(&mut self, scope: &Scope) -> Read<Operand> {
        let node = self.known(scope.numbers)?;
        let mut subscripts = Vec::new();
        if self.sign('[') {
            while !self.sign(']') {
                subscripts.push(self.axis(scope)?);
                if !self.sign(',') && self.peek() != Some(&Token::Sign(']')) {
                    return self.expected("`,` or `]`");
                }
            }
        }
        Ok(Operand { node, subscripts })
    }

    /// Operands between signs, as many as there are.
    fn operands(&mut self, scope: &mut Scope, between: char) -> Read<()> {
        if let Some(Token::Node(_)) = self.peek() {
            loop {
                let operand = self.operand(scope)?;
                scope.operands.push(operand);
                if !self.sign(between) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn op(&mut self, scope: &mut Scope, depth: usize) -> Read<Op> {
        let word = self.word("an op")?;
        if let Some(origin) = Origin::ALL.iter().find(|o| o.word() == word) {
            return Ok(Op::Source { origin: *origin, path: self.text("a path in quotes")?.into() });
        }
        if let Some(map) = Map::ALL.iter().find(|m| m.word() == word) {
            self.inner(scope)?;
            self.operands(scope, ',')?;
            return Ok(Op::Map(*map));
        }
        match word.as_str() {
            "const" => Ok(Op::Const(self.number()?)),
            "iota" => Ok(Op::Iota),
            "extent" => Ok(Op::Extent(self.size(0)?)),
            "gather" => self.gather(scope),
            "loop" => self.looped(scope, depth),
            "arg" => Ok(Op::Arg(self.count()?)),
            "sum" => {
                self.inner(scope)?;
                self.operands(scope, '*')?;
                Ok(Op::Contract)
            }
            _ => {
                let op = self.listed(&word, scope)?;
                self.operands(scope, ',')?;
                Ok(op)
            }
        }
    }

    /// An op whose operands stand last, between commas.
    fn listed(&mut self, word: &str, scope: &mut Scope) -> Read<Op> {
        match word {
            "random" => {
                let word = self.word("a distribution")?;
                let dist = Dist::ALL.iter().find(|d| d.word() == word);
                let dist = *dist.ok_or_else(|| self.error(format!("`{word}` is no distribution")))?;
                Ok(Op::Random { dist, key: self.count()? })
            }
            "fold" => {
                let word = self.word("a fold")?;
                let fold = Fold::ALL.iter().find(|f| f.word() == word);
                let fold = *fold.ok_or_else(|| self.error(format!("`{word}` is no fold")))?;
                self.inner(scope)?;
                Ok(Op::Fold(fold))
            }
            "scatter" => {
                let extremes = [Fold::Max, Fold::Min].into_iter();
                let fold = extremes.filter(|f| self.keyword(f.word())).last().unwrap_or(Fold::Sum);
                self.inner(scope)?;
                self.need_word("into")?;
                Ok(Op::Scatter { axis: self.axis(scope)?, fold })
            }
            "concat" | "scan" => {
                self.need_word("along")?;
                let axis = self.axis(scope)?;
                Ok(if word == "scan" { Op::Scan { axis } } else { Op::Concat { axis } })
            }
            "inside" => {
                let mut axes = Vec::new();
                self.need('(')?;
                self.axes(')', &mut axes)?;
                match <[Axis; 1]>::try_from(axes) {
                    Ok([axis]) => Ok(Op::Inside(axis)),
                    Err(axes) => Err(self.error(format!("`inside` names one axis, not {}", axes.len()))),
                }
            }
            "reshape" => Ok(Op::Reshape),
            "order" => {
                self.inner(scope)?;
                let descending = self.keyword("descending");
                if !descending {
                    self.need_word("ascending")?;
                }
                self.need_word("into")?;
                Ok(Op::Order { axis: self.axis(scope)?, descending })
            }
            "assign" => {
                self.inner(scope)?;
                Ok(Op::Assign)
            }
            "result" => Ok(Op::Result(self.count()?)),
            _ => Err(self.error(format!("`{word}` is no op"))),
        }
    }

    /// `gather %4[%2[b], d] else 0`
    fn gather(&mut self, scope: &mut Scope) -> Read<Op> {
        let source = self.known(scope.numbers)?;
        scope.operands.push(Operand::new(source, Vec::new()));
        let mut picks = Vec::new();
        if self.sign('[') {
            while !self.sign(']') {
                if let Some(Token::Node(_)) = self.peek() {
                    let index = self.operand(scope)?;
                    scope.operands.push(index);
                    picks.push(Pick::Operand(scope.operands.len() - 1));
                } else {
                    picks.push(Pick::Loop(self.axis(scope)?));
                }
                if !self.sign(',') && self.peek() != Some(&Token::Sign(']')) {
                    return self.expected("`,` or `]`");
                }
            }
        }
        let fill = if self.keyword("else") { Some(self.number()?) } else { None };
        Ok(Op::Gather { picks, fill })
    }

    /// `loop 5 reverse stop carry 2 yield 1 %3, %4 {` and the body.
    fn looped(&mut self, scope: &mut Scope, depth: usize) -> Read<Op> {
        let trips = self.size(0)?;
        let (reverse, stop) = (self.keyword("reverse"), self.keyword("stop"));
        self.need_word("carry")?;
        let carries = self.count()?;
        self.need_word("yield")?;
        let yields = self.count()?;
        self.operands(scope, ',')?;
        for o in &mut scope.operands {
            o.subscripts = (0..scope.graph.node(o.node).rank()).collect();
        }
        self.need('{')?;
        self.end()?;
        let graph = self.graph(depth + 1)?;
        self.need('}')?;
        Ok(Op::Loop(Box::new(Body { graph, trips, reverse, carries, yields, stop })))
    }
}
