#!/usr/bin/perl
# Trains a logistic regression on a table by stochastic gradient descent.
use strict;
use warnings;
use Getopt::Long;
use List::Util qw(shuffle sum);

$| = 1;
my ($data, $lr, $decay, $epochs, $seed, $out, $resume) = ("cells.csv", 0.1, 0, 10, 0, ".", "");
GetOptions(
    "data=s" => \$data, "lr=f" => \$lr, "decay=f" => \$decay, "epochs=i" => \$epochs,
    "seed=i" => \$seed, "out=s" => \$out, "resume=s" => \$resume,
) or die "usage: $0 [--lr RATE] [--decay RATE] [--epochs NUMBER] ...\n";

my %splits = (train => [], valid => [], test => []);
open my $table, "<", $data or die "$data: $!\n";
my @names = split /,/, <$table>;
while (<$table>) {
    chomp;
    my @row = split /,/;
    push @{ $splits{ $. % 5 == 0 ? "test" : $. % 5 == 1 ? "valid" : "train" } }, [ pop @row, 1, @row ];
}

sub predicted {
    my ($weights, $row) = @_;
    return 1 / (1 + exp -sum map { $weights->[$_] * $row->[ $_ + 1 ] } 0 .. $#$weights);
}

sub measured {
    my ($weights, $rows) = @_;
    my ($loss, $correct) = (0, 0);
    for my $row (@$rows) {
        my $p = predicted($weights, $row);
        $loss -= log($row->[0] ? $p : 1 - $p);
        $correct++ if ($p > 0.5) == $row->[0];
    }
    return ($loss / @$rows, $correct / @$rows);
}

my ($epoch, @weights) = (0, (0) x @names);
if ($resume) {
    open my $saved, "<", $resume or die "$resume: $!\n";
    ($epoch, @weights) = split / /, <$saved>;
}
while ($epoch++ < $epochs) {
    srand($seed * 1000 + $epoch);
    for my $row (shuffle @{ $splits{train} }) {
        my $error = predicted(\@weights, $row) - $row->[0];
        $weights[$_] -= $lr * ($error * $row->[ $_ + 1 ] + $decay * $weights[$_]) for 0 .. $#weights;
    }
    open my $saved, ">", "$out/weights_$epoch.txt" or die "$out: $!\n";
    print $saved join " ", map { sprintf "%.17g", $_ } $epoch, @weights;
    close $saved;
    printf "epoch %d: loss %.17g, accuracy %.17g\n", $epoch, measured(\@weights, $splits{valid});
}
printf "test: loss %.17g, accuracy %.17g\n", measured(\@weights, $splits{test});
